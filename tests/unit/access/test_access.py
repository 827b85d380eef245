"""Who is let in: tokens, roles, and where a node may listen without them."""

from pathlib import Path

import pytest

from rota.access import failed_logins
from rota.access.bind import check_bind, is_loopback
from rota.access.policy import Policy
from rota.access.roles import ALL_ROLES
from rota.access.source import source_of
from rota.access.tokens import Token, Tokens, check_secret, make_secret, read_tokens
from rota.life.clock import ManualClock
from rota.model.errors import NotAuthenticated, Overloaded, RefusesToStart
from rota.wire.codec_refusal import look_of

SECRET, OTHER = "correct-horse-battery-staple-of-the-first-kind", "another-horse-and-quite-another-battery-too"


def a_file(path: Path, text: str, mode: int = 0o600) -> Path:
    file = path / "tokens"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return file


def test_a_file_gives_each_token_its_roles(tmp_path: Path) -> None:
    tokens = read_tokens(a_file(tmp_path, f"# ours\n\nclient,worker {SECRET}  # the shop\n{OTHER}\n"))
    assert tokens.roles_of(SECRET) == {"client", "worker"}
    assert tokens.roles_of(OTHER) == {"admin"}
    assert not tokens.roles_of(SECRET[:-1])


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(RefusesToStart, match="chmod 600") as error:
        read_tokens(a_file(tmp_path, SECRET, mode))
    assert error.value.code == "bad_token_file"


def test_a_file_that_its_group_may_read_is_taken(tmp_path: Path) -> None:
    assert len(read_tokens(a_file(tmp_path, SECRET, 0o640))) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_token_file"),
        ("# nothing\n", "bad_token_file"),
        ("admin short", "weak_token"),
        ("admin " + "a" * 40, "weak_token"),
        ("admin default_token_default_token_default", "weak_token"),
        ("admin " + "0123456789abcdef" * 2, "weak_token"),
        (f"king {SECRET}", "unknown_role"),
        (f"admin,, {SECRET}", "unknown_role"),
        (f"admin {SECRET} {OTHER}", "weak_token"),
        (f"admin {SECRET}\u00e9", "weak_token"),
    ],
)
def test_a_bad_file_is_refused_without_telling_the_secret(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(RefusesToStart) as error:
        read_tokens(a_file(tmp_path, text))
    assert error.value.code == code
    assert SECRET not in error.value.detail


def test_what_is_not_a_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusesToStart):
        read_tokens(tmp_path / "nowhere")
    with pytest.raises(RefusesToStart):
        read_tokens(tmp_path)
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    file.chmod(0o600)
    with pytest.raises(RefusesToStart):
        read_tokens(file)


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusesToStart, match="tokens:2: "):
        read_tokens(a_file(tmp_path, f"{SECRET}\nadmin x\n"))


def test_made_secrets_are_strong_and_differ() -> None:
    check_secret(make_secret())
    assert make_secret() != make_secret()


def test_open_mode_gives_every_role() -> None:
    assert Policy(open_mode=True).admit(None).roles == ALL_ROLES
    assert Policy(open_mode=True).admit("whatever").roles == ALL_ROLES


def test_a_token_ends_open_mode() -> None:
    policy = Policy(open_mode=True, tokens=Tokens([Token.of(SECRET, ["viewer"])]))
    assert policy.admit(SECRET).roles == {"viewer"}
    with pytest.raises(NotAuthenticated):
        policy.admit(None)


@pytest.mark.parametrize("presented", [None, "", " ", OTHER, SECRET + "x", "\ud800"])
def test_no_token_and_a_bad_one_are_refused_in_the_same_words(presented: str | None) -> None:
    policy = Policy(open_mode=False, tokens=Tokens([Token.of(SECRET)]))
    with pytest.raises(NotAuthenticated) as error:
        policy.admit(presented)
    with pytest.raises(NotAuthenticated) as none:
        policy.admit(None)
    assert error.value.detail == none.value.detail


def test_without_tokens_and_not_open_nobody_is_let_in() -> None:
    with pytest.raises(NotAuthenticated):
        Policy(open_mode=False).admit("")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.5.5.5", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]
)
def test_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host) or host.startswith("::ffff")
    if is_loopback(host):
        check_bind(host, has_token=False, tls=False, behind_tls_proxy=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "my-host", "localhost.evil.com", "127.0.0.1.nip.io"])
@pytest.mark.parametrize(
    ("token", "tls", "proxy", "safe"),
    [
        (False, False, False, False),
        (False, True, False, False),
        (True, False, False, False),
        (True, True, False, True),
        (True, False, True, True),
        (False, False, True, False),
    ],
)
def test_other_addresses_need_a_token_and_tls(host: str, token: bool, tls: bool, proxy: bool, safe: bool) -> None:
    if safe:
        check_bind(host, token, tls, proxy)
        return
    with pytest.raises(RefusesToStart) as error:
        check_bind(host, token, tls, proxy)
    assert error.value.code == "unsafe_bind"
    assert " or " in error.value.detail


def test_behind_a_proxy_loopback_needs_a_token_too() -> None:
    with pytest.raises(RefusesToStart):
        check_bind("127.0.0.1", has_token=False, tls=False, behind_tls_proxy=True)
    check_bind("127.0.0.1", has_token=True, tls=False, behind_tls_proxy=True)


# --- whoever tries tokens


def guarded(clock: ManualClock) -> Policy:
    return Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, ["client"])]), clock=clock)


def tries(policy: Policy, count: int, source: str = "203.0.113.7") -> list[str]:
    """The codes of the answers to wrong tokens."""
    codes = []
    for number in range(count):
        with pytest.raises((NotAuthenticated, Overloaded)) as error:
            policy.admit(f"a wrong token, the {number}th", source)
        codes.append(error.value.code)
    return codes


def test_the_eleventh_wrong_token_in_a_minute_has_to_wait_until_the_minute_is_over() -> None:
    clock = ManualClock()
    policy = guarded(clock)
    assert tries(policy, 12) == ["not_authenticated"] * 10 + ["too_many_logins"] * 2
    clock.advance(59)
    with pytest.raises(Overloaded, match="come again in 1 s") as error:
        policy.admit(SECRET, "203.0.113.7")
    assert look_of(error.value)[1:] == (429, "RESOURCE_EXHAUSTED", 1_000_000)
    clock.advance(1)
    assert policy.admit(SECRET, "203.0.113.7").roles == {"client"}


def test_others_do_not_wait_for_it_nor_does_a_token_that_is_known_from_there() -> None:
    policy = guarded(ManualClock())
    assert policy.admit(SECRET, "203.0.113.7")
    tries(policy, 20)
    assert policy.admit(SECRET, "203.0.113.7")
    assert policy.admit(SECRET, "203.0.113.8")
    assert tries(policy, 1) == ["too_many_logins"]


def test_wrong_tokens_that_come_slowly_do_not_wait() -> None:
    clock = ManualClock()
    policy = guarded(clock)
    for _ in range(50):
        assert tries(policy, 1) == ["not_authenticated"]
        clock.advance(6.1)


def test_no_token_and_no_source_are_not_counted() -> None:
    policy = guarded(ManualClock())
    assert set(tries(policy, 50, source="")) == {"not_authenticated"}
    assert policy.wrong_tokens == 50
    for _ in range(50):
        with pytest.raises(NotAuthenticated):
            policy.admit(None, "203.0.113.7")
    assert policy.admit(SECRET, "203.0.113.7")


def test_what_is_remembered_of_wrong_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "MOST_SOURCES", 100)
    policy = guarded(ManualClock())
    for number in range(1_000):
        tries(policy, 1, source=str(number))
        policy.admit(SECRET, str(number))
    assert len(policy._failed._failures) == len(policy._failed._welcome) == 100


def test_other_tokens_are_taken_from_now_on() -> None:
    policy = guarded(ManualClock())
    policy.renew(Tokens([Token.of(OTHER, ["worker"])]))
    assert policy.admit(OTHER).roles == {"worker"}
    with pytest.raises(NotAuthenticated):
        policy.admit(SECRET)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("", ""),
        ("a path", "a path"),
    ],
)
def test_an_address_stands_for_whoever_has_it(address: str, source: str) -> None:
    assert source_of(address) == source
