"""Secrets do not leave by logs, errors, or the lines and failures of tasks."""

import logging
import time

import pytest

from rota.telemetry.logs import JsonLines, TextLines
from rota.telemetry.redaction import MASK, MOST, SHORTEST, Redactor, redactor
from rota.worker.failures import cleaned, failure_of

CANARY = "canary-5e1f0b7c9d2a4836-of-the-house"


@pytest.fixture
def learnt() -> Redactor:
    made = Redactor()
    made.learn(CANARY)
    return made


def test_what_was_learnt_is_masked_wherever_it_stands(learnt: Redactor) -> None:
    for text in (CANARY, f"x{CANARY}y", f"a {CANARY} b {CANARY}", f"'{CANARY}'", f"\n{CANARY}\t"):
        for cleaned_text in (learnt.own(text), learnt.clean(text)):
            assert CANARY not in cleaned_text
            assert MASK in cleaned_text


def test_a_secret_with_reserved_signs_is_masked_as_an_address_has_it_too() -> None:
    made = Redactor()
    made.learn("pass/word&1234")
    assert made.own("u:pass%2Fword%261234@h and pass/word&1234") == f"u:{MASK}@h and {MASK}"


def test_a_secret_that_begins_like_another_leaves_nothing_of_the_longer() -> None:
    made = Redactor()
    made.learn("abcdefgh", "abcdefghSECRETREST")
    assert made.own("abcdefghSECRETREST") == MASK


def test_short_words_and_nothing_are_no_secrets() -> None:
    made = Redactor()
    made.learn("a" * (SHORTEST - 1), "", None)
    assert made.own("aaaaaaa is a word") == "aaaaaaa is a word"


def test_what_is_remembered_is_bounded_and_the_oldest_go_first() -> None:
    made = Redactor()
    made.learn(*(f"secret-number-{n:05}" for n in range(MOST)))
    made.learn("the-newest-secret")
    assert made.own("the-newest-secret") == MASK
    known = [n for n in range(MOST) if made.own(f"secret-number-{n:05}") == MASK]
    assert len(known) == MOST - 1


def test_the_password_of_an_address_is_learnt_as_it_is_meant_and_as_it_stands() -> None:
    made = Redactor()
    made.learn_address("mysql://rota:pa%40ss-word-1@db:3306/rota")
    made.learn_address("http://no.password.here:8080")
    made.learn_address("http://[broken")
    assert made.own("pa%40ss-word-1 pa@ss-word-1 no.password.here") == f"{MASK} {MASK} no.password.here"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcDEF0123456789xyz_-", f"Authorization: Bearer {MASK}"),
        ("authorization=basic OnNlY3JldDEyMzQ1Njc4OTA=", f"authorization=basic {MASK}"),
        ("token rota_k1d.Zm9vYmFyYmF6cXV4cXV1eDEyMzQ1Ng here", f"token rota_k1d.{MASK} here"),
        ("store mysql://rota:hunter2@db/rota away", f"store mysql://rota:{MASK}@db/rota away"),
        ("redis://:p@h and postgres://u:p@h", f"redis://:{MASK}@h and postgres://u:{MASK}@h"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_the_log(text: str, clean: str) -> None:
    assert Redactor().clean(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "a basic understanding of internationalization",
        "the bearer of good news",
        "http://127.0.0.1:8080/api/v1/link",
        "rota_tasks_submitted_total 3.0",
        "file rota_handlers.py line 3",
        "time 12:30 mail a@b.example",
    ],
)
def test_plain_sentences_stay_as_they_are(text: str) -> None:
    assert Redactor().clean(text) == text


@pytest.mark.parametrize("text", ["a" * 200_000, "://" * 70_000, "bearer " * 30_000, "rota_" * 40_000, "a:/" * 70_000])
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    Redactor().clean(text)
    assert time.process_time() - began < 2


def test_without_secrets_nothing_is_done_to_the_lines_of_tasks() -> None:
    text = "x" * 100_000
    assert Redactor().own(text) is text


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_no_line_of_a_log_has_it(form: logging.Formatter) -> None:
    redactor.learn(CANARY)
    try:
        raise RuntimeError(f"refused with {CANARY}")
    except RuntimeError as error:
        exc = (type(error), error, error.__traceback__)
    record = logging.LogRecord("rota", logging.ERROR, "x.py", 1, "it was %s", (CANARY,), exc)
    written = form.format(record)
    assert CANARY not in written
    assert "refused with ***" in written


def test_failures_of_handlers_are_cleaned_before_they_are_cut() -> None:
    redactor.learn(CANARY)
    half = cleaned(("E",), "x" * 4_090 + CANARY, CANARY + "y" * 32_760)
    assert CANARY[:6] not in half.message
    assert CANARY[-6:] not in half.traceback
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        failure = failure_of(error)
    assert CANARY not in failure.message + failure.traceback
