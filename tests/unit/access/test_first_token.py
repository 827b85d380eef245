"""The token that a node makes for itself."""

import stat
from pathlib import Path

import pytest

from rota.access.first_token import make_first_token, read_first_token
from rota.access.policy import Policy
from rota.access.tokens import Tokens
from rota.model.errors import NotAuthenticated, RefusesToStart


def test_it_is_for_the_nodes_user_alone_and_lets_in_an_admin(tmp_path: Path) -> None:
    assert read_first_token(tmp_path) is None
    path = make_first_token(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["admin-token"], "nothing half-written is left"
    policy = Policy(open_mode=False)
    policy.renew(Tokens(), read_first_token(tmp_path))
    grant = policy.admit(path.read_text().strip())
    assert grant.roles == {"admin"}
    assert policy.still_good(grant)
    policy.renew(Tokens())
    with pytest.raises(NotAuthenticated):
        policy.admit(path.read_text().strip())


def test_it_ends_no_open_mode(tmp_path: Path) -> None:
    make_first_token(tmp_path)
    policy = Policy(open_mode=True)
    policy.renew(Tokens(), read_first_token(tmp_path))
    assert policy.open_mode


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_row_71_one_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_first_token(tmp_path).chmod(mode)
    with pytest.raises(RefusesToStart, match="chmod 600") as error:
        read_first_token(tmp_path)
    assert error.value.code == "bad_token_file"


@pytest.mark.parametrize(("text", "code"), [("", "bad_token_file"), ("short", "weak_token"), ("a" * 50, "weak_token")])
def test_row_70_one_that_is_empty_or_weak_is_refused(tmp_path: Path, text: str, code: str) -> None:
    make_first_token(tmp_path).write_text(text)
    with pytest.raises(RefusesToStart) as error:
        read_first_token(tmp_path)
    assert error.value.code == code


def test_a_link_that_leads_elsewhere_is_not_followed_into_what_others_can_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("rota_x.y" * 10)
    elsewhere.chmod(0o644)
    (tmp_path / "admin-token").symlink_to(elsewhere)
    with pytest.raises(RefusesToStart):
        read_first_token(tmp_path)
