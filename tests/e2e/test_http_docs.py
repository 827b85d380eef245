"""The page on the HTTP API: its examples work as they stand, and it forgets no endpoint."""

import os
import re
import subprocess
from pathlib import Path

from processes import house

from rota.transport.http.routes import ROUTES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "http-api.md").read_text("utf-8")


def test_every_example_works(tmp_path: Path) -> None:
    examples = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    (tmp_path / ".curlrc").write_text("fail\nshow-error\n")
    with house(tmp_path) as made:
        made.start_node()
        made.start_worker().line()
        script = "set -e\n" + examples.replace("http://127.0.0.1:8080", made.url)
        done = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert examples.count("curl ") > 15
    assert '"result":3' in done.stdout
    assert '"duplicate":true' in done.stdout
    assert '"total":2' in done.stdout


def test_every_endpoint_is_on_the_page() -> None:
    assert [f"{each.method} {each.template}" for each in ROUTES if f"`{each.method} {each.template}`" not in PAGE] == []
