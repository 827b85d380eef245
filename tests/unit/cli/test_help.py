"""Help as a new user reads it: whole, short, in plain words, with examples that work."""

import re
import shlex

import pytest
from scripted_client import Rota, id_of

from rota.cli.app import app, import_all, import_verbs
from rota.cli.exits import BAD_ARGUMENTS, CANNOT_CONNECT, CLOSED_PIPE, FAILURE, INTERRUPTED, OK, REFUSES_TO_START
from rota.cli.table import COMMANDS, Command, Family, with_verb
from rota.config.sections import every_setting

NAMES = [command.name for command in COMMANDS]
FAMILIES = [each for each in COMMANDS if isinstance(each, Family)]
SINGLE = [each for each in COMMANDS if isinstance(each, Command)]
VERBS = [f"{family.name} {verb.name}" for family in FAMILIES for verb in family.verbs]
EVERY = [command.name for command in SINGLE] + VERBS
EXAMPLES = [line for each in SINGLE for line in each.examples]
EXAMPLES += [line for family in FAMILIES for verb in family.verbs for line in verb.examples]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def summaries() -> dict[str, str]:
    import_all()
    found = {name: str(app[name].help).split("\n")[0] for name in NAMES}
    for family in FAMILIES:
        import_verbs(family.name)
        for verb in family.verbs:
            found[f"{family.name} {verb.name}"] = str(app[family.name][verb.name].help).split("\n")[0]
    return found


def too_wide(text: str) -> list[str]:
    return [line for line in text.splitlines() if len(line) > 80]


def test_the_first_page_has_all_that_is_needed_to_go_on(rota_here: Rota) -> None:
    done = rota_here("--help")
    assert (done.code, done.err, too_wide(done.out)) == (0, "", [])
    for name in NAMES:
        assert re.search(rf"^  {name} +{re.escape(summaries()[name])}$", done.out, re.MULTILINE), name
    for heading in ("Run", "Tasks", "Look", "Care", "Options", "Addresses", "Exit codes"):
        assert f"\n{heading}\n" in done.out
    for code in (OK, FAILURE, BAD_ARGUMENTS, CANNOT_CONNECT, REFUSES_TO_START, INTERRUPTED, CLOSED_PIPE):
        assert re.search(rf" {code}  \w", done.out), code
    assert "ROTA_URL" in done.out
    assert rota_here().out == done.out
    assert rota_here("-h").out == done.out


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_page_of_a_noun_lists_its_verbs(rota_here: Rota, family: Family) -> None:
    done = rota_here(family.name, "--help")
    assert (done.code, done.err, too_wide(done.out)) == (0, "", [])
    assert done.out.startswith(f"Usage: rota {family.name} [COMMAND]")
    for verb in family.verbs:
        summary = summaries()[f"{family.name} {verb.name}"]
        assert re.search(rf"^  {verb.name} +{re.escape(summary)}$", done.out, re.MULTILINE), verb.name


@pytest.mark.parametrize("name", [*NAMES, *VERBS])
def test_a_summary_is_one_short_sentence_that_says_what_to_do(name: str) -> None:
    summary = summaries()[name]
    assert len(summary) <= 70
    assert re.fullmatch(r"[A-Z][a-z]+ [^.]+\.", summary), "a verb first, a full stop last, one sentence"
    assert not summary.split()[0].endswith("s"), "as an order: Print, not Prints"


@pytest.mark.parametrize("name", EVERY)
def test_the_help_of_a_command_fits_and_leaks_nothing(rota_here: Rota, name: str) -> None:
    done = rota_here(*name.split(), "--help")
    assert (done.code, done.err, too_wide(done.out)) == (0, "", [])
    assert done.out.startswith(f"Usage: rota {name}")
    assert summaries()[name] in done.out
    assert "\nExamples\n  " in done.out
    assert not re.search(r"\b(STR|INT|FLOAT|BOOL|None|True|False|default:|setting_\w+)\b|\x1b", done.out)
    assert re.search(r"\[(required|default|choices)", done.out) is None


@pytest.mark.parametrize("name", EVERY)
def test_every_option_is_explained(rota_here: Rota, name: str) -> None:
    for label in re.findall(r"^  (-\S.*)$", rota_here(*name.split(), "--help").out, re.MULTILINE):
        assert re.search(r"\S +\S", label), f"{label}: no words beside or below it" if len(label) < 26 else ""


def test_a_setting_says_its_variable_and_its_default(rota_here: Rota) -> None:
    page = " ".join(rota_here("node", "--help").out.split())
    for setting in every_setting():
        if setting.section == "node" and not setting.secret:
            assert setting.variable in page, setting.key
            assert setting.kind.is_flag or " ".join(setting.shown.split()) in page, setting.key


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_can_be_typed(line: str) -> None:
    ours = [part.partition(">")[0] for part in line.split("|") if part.strip().startswith("rota ")]
    assert ours, line
    for part in ours:
        words = [id_of(1) if word == "ID" else word for word in shlex.split(part)]
        _, bound, ignored = app.parse_args(with_verb(words[1:]), exit_on_error=False, print_error=False)
        assert ignored == {} or bound is not None


@pytest.mark.parametrize("name", EVERY)
def test_a_flag_that_is_nearly_right_is_guessed(rota_here: Rota, name: str) -> None:
    done = rota_here(*name.split(), "--jsno")
    assert (done.code, done.out) == (2, "")
    assert "did you mean --json?" in done.err
    assert f"Try: rota {name} --help" in done.err


@pytest.mark.parametrize(("typed", "meant"), [(f"{name}x", name) for name in NAMES if name != "workers"])
def test_a_command_that_is_nearly_right_is_guessed(rota_here: Rota, typed: str, meant: str) -> None:
    done = rota_here(typed)
    assert (done.code, done.out) == (2, "")
    assert f'Did you mean "{meant}"?' in done.err


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_is_nearly_right_is_guessed(rota_here: Rota, name: str) -> None:
    noun, verb = name.split()
    done = rota_here(noun, f"{verb}x")
    assert (done.code, done.out) == (2, "")
    assert f'Did you mean "{verb}"?' in done.err
    assert f"Try: rota {noun} --help" in done.err
