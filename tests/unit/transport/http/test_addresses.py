"""Queries, cursors, instants, and addresses into routes."""

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from rota.model.errors import InvalidInput
from rota.model.text import instant_text
from rota.transport.http.address import Table, parts_of
from rota.transport.http.cursor import read_cursor, write_cursor
from rota.transport.http.query import read_query
from rota.transport.http.route import READERS, Reply, Request, Route
from rota.transport.http.values import read_instant


class Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    state: list[str] = []
    method: str | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    follow: bool = False


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_instants_are_read_as_they_were_written(microseconds: int) -> None:
    text = instant_text(microseconds)
    assert text.endswith("Z")
    assert read_instant(text, "at") == microseconds


@pytest.mark.parametrize("text", ["2026-W01-1", "20261121T200000Z", "2026-11-21", "2026-11-21T20:00Z", "2026-11-21T24:00:00Z",
                                  "2026-02-30T00:00:00Z", "２０２６-11-21T20:00:00Z", "2026-11-21T20:00:00+25:00", ""])  # fmt: skip
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_instant(text, "at")
    assert caught.value.code == "invalid_instant"


@given(st.integers(1, 2**63 - 1), st.text(), st.lists(st.text()))
def test_a_cursor_is_good_for_its_question_alone(place: int, method: str, states: list[str]) -> None:
    asked = Asked(method=method, state=states, limit=3)
    cursor = write_cursor(place, asked)

    assert read_cursor(cursor, Asked(method=method, state=states, limit=7, cursor=cursor)) == place
    with pytest.raises(InvalidInput):
        read_cursor(cursor, Asked(method=method + "x", state=states))


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_cursor(text, Asked())
    assert caught.value.code == "invalid_cursor"


def test_lists_are_repeated_or_parted_by_commas() -> None:
    assert read_query(b"state=a,b&state=c&limit=7&follow=true", Asked) == Asked(
        state=["a", "b", "c"], limit=7, follow=True
    )


@given(st.binary())
def test_a_query_is_read_or_refused(raw: bytes) -> None:
    try:
        read_query(raw, Asked)
    except InvalidInput as error:
        assert error.errors  # noqa: PT017


async def nothing(_: Request) -> Reply:
    return Reply()


def a_table(*templates: str) -> Table:
    return Table([Route("GET", each, READERS, nothing, "", "tasks", {200: str}) for each in templates])


def found_in(table: Table, raw: str) -> tuple[str, dict[str, str]] | None:
    found = table.find(parts_of({"raw_path": b"/api/v1" + raw.encode()}))
    return None if found is None else (found[0]["GET"].template, found[1])


def test_addresses_lead_to_routes() -> None:
    table = a_table("/groups", "/groups/{name}", "/groups/{name}/pause", "/tasks/{id}", "/tasks/counts")

    assert found_in(table, "/groups") == ("/groups", {})
    assert found_in(table, "/groups/a%2Fb%20%E5%8F%91") == ("/groups/{name}", {"name": "a/b 发"})
    assert found_in(table, "/groups/x/pause") == ("/groups/{name}/pause", {"name": "x"})
    assert found_in(table, "/tasks/counts") == ("/tasks/counts", {})
    assert found_in(table, "/tasks/x") == ("/tasks/{id}", {"id": "x"})
    for raw in ("/", "", "/groups/", "//groups", "/groups//pause", "/groups/x/pause/", "/groups%2Fx", "/GROUPS"):
        assert found_in(table, raw) is None


@pytest.mark.parametrize("raw", ["/groups/%00", "/groups/%ff", "/groups/%0a", "/groups/%e2%80%ae", "/groups/%c0%ae"])
def test_addresses_are_printable_text(raw: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parts_of({"raw_path": b"/api/v1" + raw.encode()})
    assert caught.value.code == "invalid_address"


def test_no_two_routes_are_one() -> None:
    with pytest.raises(ValueError, match="two routes"):
        a_table("/groups", "/groups")


def test_a_route_without_roles_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no roles"):
        Route("GET", "/x", frozenset(), nothing, "", "tasks", {200: str})
