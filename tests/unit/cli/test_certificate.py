"""People are told of a certificate before it expires."""

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest

from rota.cli.certificate import expiry_warning

NOW = datetime.datetime.now(datetime.UTC)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize(("days", "words"), [(100, "in 4 days"), (20_000, "in 4 days")])
def test_a_certificate_that_expires_soon_is_told_with_its_day(tmp_path: Path, days: int, words: str) -> None:
    cert = tmp_path / "x.crt"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout x.key -out x.crt"
    )
    subprocess.run([*command.split(), "-days", str(days)], check=True, capture_output=True, cwd=tmp_path)
    assert expiry_warning(cert, NOW) == ""
    assert words in expiry_warning(cert, NOW + datetime.timedelta(days=days - 4, hours=-12))
    assert "expired" in expiry_warning(cert, NOW + datetime.timedelta(days=days + 1))


def test_text_that_is_no_certificate_is_left_to_the_node_to_refuse(tmp_path: Path) -> None:
    nonsense = tmp_path / "x.crt"
    for text in ("hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        nonsense.write_text(text)
        assert expiry_warning(nonsense, NOW) == ""
