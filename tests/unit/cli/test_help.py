"""Help as a new user reads it: whole, short, in plain words, with examples that work."""

import re
import shlex

import pytest
from scripted_client import Rota, id_of

from rota.cli.app import COMMANDS, app, import_all
from rota.cli.exits import BAD_ARGUMENTS, CANNOT_CONNECT, CLOSED_PIPE, FAILURE, INTERRUPTED, OK, REFUSES_TO_START
from rota.config.sections import every_setting

NAMES = [command.name for command in COMMANDS]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def summaries() -> dict[str, str]:
    import_all()
    return {name: str(app[name].help).split("\n")[0] for name in NAMES}


def too_wide(text: str) -> list[str]:
    return [line for line in text.splitlines() if len(line) > 80]


def test_the_first_page_has_all_that_is_needed_to_go_on(rota_here: Rota) -> None:
    done = rota_here("--help")
    assert (done.code, done.err, too_wide(done.out)) == (0, "", [])
    for name, summary in summaries().items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", done.out, re.MULTILINE), name
    for heading in ("Run", "Tasks", "Look", "Care", "Options", "Addresses", "Exit codes"):
        assert f"\n{heading}\n" in done.out
    for code in (OK, FAILURE, BAD_ARGUMENTS, CANNOT_CONNECT, REFUSES_TO_START, INTERRUPTED, CLOSED_PIPE):
        assert re.search(rf" {code}  \w", done.out), code
    assert "ROTA_URL" in done.out
    assert rota_here().out == done.out
    assert rota_here("-h").out == done.out


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_is_one_short_sentence_that_says_what_to_do(name: str) -> None:
    summary = summaries()[name]
    assert len(summary) <= 70
    assert re.fullmatch(r"[A-Z][a-z]+ [^.]+\.", summary), "a verb first, a full stop last, one sentence"
    assert not summary.split()[0].endswith("s"), "as an order: Print, not Prints"


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_fits_and_leaks_nothing(rota_here: Rota, name: str) -> None:
    done = rota_here(name, "--help")
    assert (done.code, done.err, too_wide(done.out)) == (0, "", [])
    assert done.out.startswith(f"Usage: rota {name}")
    assert summaries()[name] in done.out
    assert "\nExamples\n  " in done.out
    assert not re.search(r"\b(STR|INT|FLOAT|BOOL|None|True|False|default:|setting_\w+)\b|\x1b", done.out)
    assert re.search(r"\[(required|default|choices)", done.out) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained(rota_here: Rota, name: str) -> None:
    for label in re.findall(r"^  (-\S.*)$", rota_here(name, "--help").out, re.MULTILINE):
        assert re.search(r"\S +\S", label), f"{label}: no words beside or below it" if len(label) < 26 else ""


def test_a_setting_says_its_variable_and_its_default(rota_here: Rota) -> None:
    page = " ".join(rota_here("node", "--help").out.split())
    for setting in every_setting():
        if setting.section == "node" and not setting.secret:
            assert setting.variable in page, setting.key
            assert setting.kind.is_flag or " ".join(setting.shown.split()) in page, setting.key


@pytest.mark.parametrize("line", [line for command in COMMANDS for line in command.examples])
def test_an_example_can_be_typed(line: str) -> None:
    ours = [part.partition(">")[0] for part in line.split("|") if part.strip().startswith("rota ")]
    assert ours, line
    for part in ours:
        words = [id_of(1) if word == "ID" else word for word in shlex.split(part)]
        _, bound, ignored = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        assert ignored == {} or bound is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_that_is_nearly_right_is_guessed(rota_here: Rota, name: str) -> None:
    done = rota_here(name, "--jsno")
    assert (done.code, done.out) == (2, "")
    assert "did you mean --json?" in done.err
    assert f"Try: rota {name} --help" in done.err


@pytest.mark.parametrize(("typed", "meant"), [(f"{name}x", name) for name in NAMES if name != "workers"])
def test_a_command_that_is_nearly_right_is_guessed(rota_here: Rota, typed: str, meant: str) -> None:
    done = rota_here(typed)
    assert (done.code, done.out) == (2, "")
    assert f'Did you mean "{meant}"?' in done.err
