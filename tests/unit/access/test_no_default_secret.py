"""A2: no token that would let anybody in stands in the code, the samples or the pages; and nothing empty means "allow"."""

import re
from pathlib import Path

import pytest

from rota.access.made_token import kid_of
from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens, check_secret, make_secret
from rota.model.errors import NotAuthenticated, RefusesToStart

ROOT = Path(__file__).parents[3]
PLACES = ("src", "docs", "deploy", "examples", "README.md", "README.zh-CN.md", "SECURITY.md")
ASSIGNED = re.compile(r"""(?:ROTA_TOKEN|token|TOKEN)["']?\s*[=:]\s*["']?([A-Za-z0-9_.-]{32,})""")


def files() -> list[Path]:
    found = []
    for place in PLACES:
        path = ROOT / place
        found += [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return [each for each in found if each.suffix not in (".pyc", ".png", ".svg", ".woff2")]


def usable(word: str) -> bool:
    try:
        check_secret(word)
    except RefusesToStart:
        return False
    return True


def words(text: str) -> list[str]:
    """What is given as a token, or looks like one that was made."""
    made = re.findall(r"rota_[a-z0-9]{12}\.[A-Za-z0-9_-]{43}", text)
    return [*ASSIGNED.findall(text), *filter(kid_of, made)]


def test_no_usable_token_stands_anywhere() -> None:
    found = [(path.relative_to(ROOT), word) for path in files() for word in words(path.read_text("utf-8", "replace"))]
    assert [each for each in found if usable(each[1]) and not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", each[1])] == []


@pytest.mark.parametrize("presented", [None, "", " ", "null", "None", "undefined", "Bearer", "0", "\0", "*", "rota_."])
def test_nothing_empty_means_allow(presented: str | None) -> None:
    policies = [Policy(open_mode=False), Policy(False, Tokens([Token.of(make_secret())])), Policy(False, Tokens())]
    for policy in policies:
        with pytest.raises(NotAuthenticated):
            policy.admit(presented)
