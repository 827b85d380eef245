"""Every row of the catalogue of bad input has its tests on every door that it reaches, and the page for users says the same."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
REGISTER: dict[str, Any] = tomllib.loads((ROOT / "tests" / "bad_input.toml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "bad-input.md").read_text("utf-8")
DUE = [*range(1, 34), *range(36, 65), *range(67, 74), *range(75, 80)]
DOORS = "".join(REGISTER["doors"])
TABLE = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|(.*)\| ([A-Z]+|–) \|$", re.MULTILINE)


def held_by(row: int) -> dict[str, list[str]]:
    """The tests of a row by door."""
    return {door: names for door, names in REGISTER["rows"].get(str(row), {}).items() if door != "not"}


def reasons_of(row: int) -> list[tuple[str, str]]:
    """Each door that a row does not reach, with the reason."""
    own = REGISTER["rows"].get(str(row), {}).get("not", {}).items()
    shared = [(each["doors"], each["why"]) for each in REGISTER["apart"] if row in each["rows"]]
    return [(door, why) for doors, why in (*own, *shared) for door in doors]


@functools.cache
def defined_in(file: str) -> dict[str, str]:
    """The tests of a file, and the source of each with its decorators and the module's constants that these name."""
    text = (ROOT / file).read_text("utf-8")
    module = ast.parse(text)
    constants = {
        target.id: ast.get_source_segment(text, node) or ""
        for node in module.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found = {}
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            said = [ast.get_source_segment(text, each) or "" for each in node.decorator_list]
            named = {name.id for each in node.decorator_list for name in ast.walk(each) if isinstance(name, ast.Name)}
            found[node.name] = "\n".join([*said, *(constants[name] for name in sorted(named & constants.keys()))])
    return found


def fault_of(name: str) -> str | None:
    """Why a name of the register leads to no test."""
    short, _, test = name.partition("::")
    test, _, case = test.partition("[")
    if short not in REGISTER["files"]:
        return f"{name}: no file is called {short}"
    tests = defined_in(REGISTER["files"][short])
    if test not in tests:
        return f"{name}: {REGISTER['files'][short]} has no such test"
    ids = re.findall(r"""\bid=(["'])(.+?)\1""", tests[test])
    if case and not any(fnmatchcase(each, case.removesuffix("]")) for _, each in ids):
        return f"{name}: it has no such case"
    return None


def test_every_row_that_is_due_is_there_and_no_other() -> None:
    assert sorted(map(int, REGISTER["rows"])) == DUE


@pytest.mark.parametrize("row", DUE)
def test_a_row_has_tests_or_a_reason_for_every_door(row: int) -> None:
    tested, apart = [door for door, names in held_by(row).items() if names], [door for door, _ in reasons_of(row)]
    assert sorted(tested + apart) == sorted(DOORS), "each door once"
    assert all(3 < len(why) < 120 for _, why in reasons_of(row))


@pytest.mark.parametrize("row", DUE)
def test_every_test_that_is_named_exists(row: int) -> None:
    names = [name for names in held_by(row).values() for name in names]
    assert [fault for name in names if (fault := fault_of(name))] == []
    assert all(len(names) == len(set(names)) for names in held_by(row).values())


def test_every_file_is_there_and_used() -> None:
    used = {name.partition("::")[0] for row in DUE for names in held_by(row).values() for name in names}
    assert used == set(REGISTER["files"])
    assert [file for file in REGISTER["files"].values() if not (ROOT / file).exists()] == []


def test_the_page_has_every_row_once_with_the_same_doors() -> None:
    told = [(int(row), doors.replace("–", "")) for row, _, _, _, doors in TABLE.findall(PAGE)]
    held = [(row, "".join(door for door in DOORS if door in held_by(row))) for row in DUE]
    assert sorted(told) == held


def test_the_page_explains_every_door() -> None:
    for letter in DOORS:
        assert re.search(rf"^\| {letter} \| ", PAGE, re.MULTILINE), letter


@pytest.mark.parametrize(
    "name",
    ["nowhere::test_x", "rest::test_that_is_not_there", "rest::test_bodies[99-*]", "rest::test_bodies[3-nothing]"],
)
def test_a_name_that_leads_nowhere_is_found(name: str) -> None:
    assert fault_of(name) is not None
