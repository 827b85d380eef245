"""Roles in client certificates."""

import pytest

from rota.access.certificate_role import Certificates
from rota.access.policy import Policy
from rota.model.errors import Forbidden, NotAuthenticated

OURS = Certificates("prod")


@pytest.mark.parametrize(
    ("uris", "roles", "groups"),
    [
        (["rota://prod/role/worker"], {"worker"}, None),
        (["rota://prod/role/worker?group=mail&group=%E9%82%AE"], {"worker"}, {"mail", "邮"}),
        (["rota://prod/role/worker", "rota://prod/role/client"], {"worker", "client"}, None),
        (["https://example.org", "rota://test/role/admin", "rota://prod/role/viewer"], {"viewer"}, None),
    ],
)
def test_a_certificate_gives_the_roles_in_its_names(uris: list[str], roles: set[str], groups: set[str] | None) -> None:
    grant = OURS.grant(uris)
    assert (grant.roles, grant.groups) == (roles, groups)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["rota://test/role/admin"],
        ["rota://prod/role/king"],
        ["rota://prod/role/"],
        ["rota://prod/admin"],
        ["rota://prod/x/role/admin"],
        ["rota://prod/role/admin/x"],
        ["rota://prod@test/role/admin"],
        ["rota://test/role/admin?x=rota://prod/role/admin"],
        ["https://prod/role/admin"],
        ["rota://prod/role/worker?group="],
        ["rota://prod/role/worker?groups=mail"],
        ["rota://prod/role/worker?group=mail;x"],
        ["rota://prod/role/worker#admin"],
        ["rota://prod/role/worker", "rota://prod/role/admin?group=mail"],
    ],
)
def test_row_54_any_other_certificate_has_no_role_here(uris: list[str]) -> None:
    if uris == ["rota://prod/role/worker?group=mail;x"]:
        assert OURS.grant(uris).groups == {"mail;x"}, "a group's name, and nothing else"
        return
    with pytest.raises(Forbidden):
        OURS.grant(uris)


def test_a_token_goes_before_a_certificate_and_a_bad_one_is_not_saved_by_it() -> None:
    policy = Policy(open_mode=True, certificates=OURS)
    shown = frozenset({"rota://prod/role/worker"})
    grant = policy.admit(None, certificate=shown)
    assert grant.roles == {"worker"}
    assert policy.still_good(grant)
    for token in ("", "a wrong one"):
        with pytest.raises(NotAuthenticated):
            policy.admit(token, certificate=shown)
    with pytest.raises(NotAuthenticated):
        policy.admit(None)
    with pytest.raises(Forbidden, match="rota://prod/role/ROLE"):
        policy.admit(None, certificate=frozenset())


def test_without_an_authority_a_certificate_counts_for_nothing() -> None:
    with pytest.raises(NotAuthenticated):
        Policy(open_mode=False).admit(None, certificate=frozenset({"rota://prod/role/admin"}))
