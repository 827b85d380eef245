"""Every line of a request bears its id, and nobody can write lines of their own by it."""

import asyncio
import json
import logging
import sys

import pytest

from rota.telemetry import request_id
from rota.telemetry.logs import LONGEST, JsonLines, TextLines


def line(form: logging.Formatter, message: str, error: BaseException | None = None) -> str:
    exc = (type(error), error, error.__traceback__) if error is not None else None
    return form.format(logging.LogRecord("rota.x", logging.INFO, "x.py", 1, message, (), exc))


def test_what_the_caller_says_is_taken_where_it_is_fit() -> None:
    for said in ("abc", "a" * 128, "!~{}\"'"):
        token = request_id.begin(said)
        assert request_id.current() == said
        request_id.end(token)
    assert request_id.current() == ""


@pytest.mark.parametrize("said", ["", "a" * 129, "a\nb", "a b", "é", "\x1b[31m", "a\x7f", None])
def test_anything_else_is_replaced_by_a_new_one(said: str | None) -> None:
    token = request_id.begin(said)
    made = request_id.current()
    request_id.end(token)
    assert made != said
    assert len(made) == 16
    again = request_id.begin(said)
    assert request_id.current() != made
    request_id.end(again)


async def test_requests_side_by_side_keep_theirs_and_what_they_start_inherits_it() -> None:
    seen: dict[str, str] = {}

    async def below(name: str) -> None:
        await asyncio.sleep(0)
        seen[name] = request_id.current()

    async def request(name: str) -> None:
        token = request_id.begin(name)
        await asyncio.gather(below(name), asyncio.create_task(below(name + "/started")))
        request_id.end(token)

    await asyncio.gather(*(request(f"r{n}") for n in range(5)))
    assert seen == {f"r{n}{part}": f"r{n}" for n in range(5) for part in ("", "/started")}


def test_both_forms_of_the_log_bear_it() -> None:
    token = request_id.begin("req-7")
    assert json.loads(line(JsonLines(), "hi"))["request_id"] == "req-7"
    assert " rota.x: [req-7] hi" in line(TextLines(), "hi")
    request_id.end(token)
    assert "request_id" not in json.loads(line(JsonLines(), "hi"))
    assert line(TextLines(), "hi").endswith("rota.x: hi")


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_hostile_text_stays_on_its_line(form: logging.Formatter) -> None:
    """Control and bidirectional characters, line ends of every kind."""
    said = "a\r\nFAKE 2026 error\x1b[31m\u202e\u2028\x9b\x00end"
    written = line(form, said)
    assert len(written.splitlines()) == 1
    assert not any(mark in written for mark in "\r\n\x1b\u202e\u2028\x9b\x00")
    if isinstance(form, JsonLines):
        assert json.loads(written)["event"] == said


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_no_line_is_longer_than_it_may_be(form: logging.Formatter) -> None:
    written = line(form, "x" * 10_000_000)
    assert LONGEST <= len(written) < LONGEST + 500
    assert "(cut)" in written


def test_of_a_long_traceback_the_end_is_kept() -> None:
    try:
        raise ValueError("head" + "y" * 100_000 + "tail")
    except ValueError:
        error = sys.exc_info()[1]
    written = json.loads(line(JsonLines(), "failed", error))
    assert written["exception"].endswith("tail")
    assert len(written["exception"]) < 33_000


def test_a_traceback_cannot_forge_a_line_in_text() -> None:
    try:
        raise ValueError("x\x1b[2J\rFAKE")
    except ValueError:
        error = sys.exc_info()[1]
    assert not any(mark in line(TextLines(), "failed", error) for mark in "\x1b\r")
