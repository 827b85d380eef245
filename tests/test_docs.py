"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest

from rota.config import settings_table
from rota.link.codes import Close
from rota.model.task import Reason, State
from rota.wire.v1 import admin_pb2, nodes_pb2, tasks_pb2, workers_pb2
from rota.wire.v1.link_pb2 import Frame

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def test_the_settings_page_is_what_the_program_says() -> None:
    assert settings_table("en").strip() in page("settings.md"), "run `python -m rota.config` and put it into the page"


def test_every_frame_stands_in_the_protocol() -> None:
    missing = [
        field.name
        for field in Frame.DESCRIPTOR.oneofs_by_name["body"].fields
        if field.message_type.name not in page("protocol.md")
    ]
    assert missing == []


def test_every_call_over_grpc_stands_in_the_protocol() -> None:
    files = (tasks_pb2, workers_pb2, admin_pb2, nodes_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    text = page("protocol.md").partition("## gRPC")[2].partition("**Ids.**")[0]
    assert [
        method.full_name for service in services for method in service.methods if f"`{method.name}`" not in text
    ] == []


def test_every_close_code_stands_in_the_protocol() -> None:
    assert [code.name for code in Close if str(int(code)) not in page("protocol.md")] == []


def test_every_state_and_reason_stands_in_the_lifecycle() -> None:
    words = [word.name.lower() for word in (*State, *Reason)]
    assert [word for word in words if word not in page("lifecycle.md")] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    files = re.findall(r"`((?:tests|src|examples|docs|scripts)/[\w/.\-]+)`", text)
    gone = [link for link in links if link and not (path.parent / link).exists()]
    gone += [file for file in files if not (ROOT / file).exists()]
    assert gone == []


def test_the_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in PAGES:
        named = set(re.findall(r"\bmake ([a-z]+)\b(?= |`|$)", path.read_text("utf-8"), re.MULTILINE))
        code = {name for name in named if f"`make {name}`" in path.read_text("utf-8")}
        assert code <= targets, f"{path.name}: {code - targets}"
