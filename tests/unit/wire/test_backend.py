"""Row 56: nested messages of strangers are read by the implementation of protobuf that bounds them."""

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.internal import api_implementation

from rota.model.errors import RefusesToStart
from rota.wire.backend import check_backend
from rota.wire.v1.link_pb2 import Frame

SRC = Path(__file__).parents[3] / "src" / "rota"


def test_row_56_the_reader_here_is_the_safe_one() -> None:
    check_backend()


@pytest.mark.parametrize("kind", ["python", "cpp"])
def test_row_56_another_reader_refuses_the_start_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(api_implementation, "Type", lambda: kind)
    with pytest.raises(RefusesToStart, match="PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION") as caught:
        check_backend()
    assert caught.value.code == "slow_protobuf"


def test_row_56_no_message_holds_one_of_its_own_kind() -> None:
    """So what nests without end can only be unknown fields, which the reader bounds."""

    def within(kind: Descriptor, above: frozenset[str]) -> bool:
        if kind.full_name in above:
            return True
        inner = [field.message_type for field in kind.fields if field.message_type is not None]
        return any(within(each, above | {kind.full_name}) for each in inner)

    assert not within(Frame.DESCRIPTOR, frozenset())


def test_row_56_no_message_is_made_of_json() -> None:
    """protobuf's own reader of JSON follows nested messages without a bound."""
    found = [path for path in SRC.rglob("*.py") if re.search(r"\bjson_format\b|\bParseDict\b", path.read_text())]
    assert found == []
