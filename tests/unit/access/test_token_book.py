"""Tokens in the store: made, found by what is presented, rotated, revoked, expired."""

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator

import pytest

from rota.access import token_book
from rota.access.grant import ANYBODY, Grant
from rota.access.made_token import LONGEST, kid_of, make_token
from rota.access.policy import Policy
from rota.access.token_book import GRACE, TokenBook
from rota.access.tokens import Token, Tokens, digest_of, make_secret
from rota.life.clock import ManualClock
from rota.model.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from rota.storage.memory import MemoryStore

HOUR = 3600 * 1_000_000


class Desk:
    """A book over a store in memory, whose clock a test moves, and the policy that asks it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.book = TokenBook(self.store)
        self.policy = Policy(open_mode=True, clock=self.clock, book=self.book)

    async def make(self, name: str = "ci", *roles: str, groups: list[str] | None = None, expires_in: int | None = None):
        return await self.book.create(name, roles or ("client",), groups, expires_in, "somebody")

    def lets_in(self, text: str) -> bool:
        try:
            self.policy.admit(text)
        except NotAuthenticated:
            return False
        return True


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.store.open()
    await made.book.load()
    yield made
    await made.book.stop()
    await made.store.close()


async def test_a_token_gives_its_roles_and_groups_to_whoever_presents_it(desk: Desk) -> None:
    token, text = await desk.make("ci", "client", "viewer", groups=["builds"])
    assert text.startswith(f"rota_{token.kid}.")
    assert desk.policy.admit(text) == Grant(frozenset({"client", "viewer"}), frozenset({"builds"}), token.kid, "ci")


async def test_row_19_unknown_wrong_expired_and_revoked_tokens_are_refused_in_the_same_words(desk: Desk) -> None:
    _, good = await desk.make("good")
    expired, _ = await desk.make("short", expires_in=HOUR)
    short = (await desk.make("shorter", expires_in=HOUR))[1]
    revoked, gone = await desk.make("gone")
    await desk.book.revoke(revoked.kid)
    desk.clock.advance(3601)
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    said = set()
    for text in (short, gone, wrong, f"rota_{'a' * 12}.{make_secret()}", make_secret(), "", f"rota_{expired.kid}."):
        with pytest.raises(NotAuthenticated) as error:
            desk.policy.admit(text)
        said.add(error.value.detail)
    assert len(said) == 1
    assert desk.lets_in(good)


async def test_row_19_a_digest_is_compared_for_whatever_is_presented(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a look-up does is the same for a kid that is known and for one that is not: one comparison of 32 bytes."""
    _, good = await desk.make()
    compared: list[tuple[int, int]] = []

    really = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return really(one, other)

    monkeypatch.setattr(token_book.hmac, "compare_digest", compare)
    for text in (good, good[:-1] + "x", f"rota_{'z' * 12}.{make_secret()}", "nonsense"):
        desk.book.find(text, digest_of(text))
    assert compared == [(32, 32)] * 4


async def test_what_is_kept_lets_nobody_in(desk: Desk) -> None:
    token, text = await desk.make()
    kept = (await desk.store.tokens())[0]
    secret = text.partition(".")[2]
    assert len(secret) == 43, "256 bits"
    assert kept.digest == hashlib.sha256(text.encode()).digest()
    assert secret not in repr(kept)
    assert secret not in repr(token)
    assert not desk.lets_in(kept.digest.hex())
    assert not desk.lets_in(f"rota_{token.kid}.{kept.digest.hex()}")


async def test_the_first_token_ends_open_mode_at_once_and_for_good(desk: Desk) -> None:
    assert desk.policy.admit(None) is ANYBODY
    assert desk.policy.still_good(ANYBODY)
    token, _ = await desk.make()
    with pytest.raises(NotAuthenticated):
        desk.policy.admit(None)
    assert not desk.policy.still_good(ANYBODY), "links that were let in as anybody end"
    await desk.book.revoke(token.kid)
    assert not desk.policy.open_mode, "a token that was revoked was made all the same"


async def test_a_revoked_token_does_not_open_the_next_node(desk: Desk) -> None:
    token, _ = await desk.make()
    await desk.book.revoke(token.kid)
    book = TokenBook(desk.store)
    await book.load()
    assert not Policy(open_mode=True, book=book).open_mode
    assert not book.anybody_holds


async def test_a_rotated_token_holds_beside_its_successor_for_a_day(desk: Desk) -> None:
    old, first = await desk.make("ci", "client", groups=["a"], expires_in=100 * HOUR)
    new, second = await desk.book.rotate(old.kid, "somebody")
    assert (new.name, new.roles, new.groups) == (old.name, old.roles, old.groups)
    assert new.expires_at == desk.clock.now() + 100 * HOUR
    assert desk.lets_in(first)
    assert desk.lets_in(second)
    desk.clock.advance(GRACE / 1e6 + 1)
    assert not desk.lets_in(first)
    assert desk.lets_in(second)


async def test_within_its_grace_a_rotated_token_can_be_revoked_and_not_rotated_again(desk: Desk) -> None:
    old, first = await desk.make()
    await desk.book.rotate(old.kid, "somebody")
    with pytest.raises(Conflict, match="rotated before"):
        await desk.book.rotate(old.kid, "somebody")
    await desk.book.revoke(old.kid)
    assert not desk.lets_in(first)


async def test_names_are_unique_among_tokens_that_hold(desk: Desk) -> None:
    token, _ = await desk.make("ci")
    with pytest.raises(Conflict) as error:
        await desk.make("ci")
    assert error.value.code == "name_taken"
    await desk.book.revoke(token.kid)
    await desk.make("ci")


async def test_when_a_token_was_last_used_is_written_once_a_minute_for_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_book, "USED_EVERY", 0.01)
    written: list[set[str]] = []
    touch = desk.store.touch_tokens

    async def touch_tokens(used):  # type: ignore[no-untyped-def]
        written.append(set(used))
        await touch(used)

    monkeypatch.setattr(desk.store, "touch_tokens", touch_tokens)
    one, first = await desk.make("one")
    two, second = await desk.make("two")
    for _ in range(50):
        desk.policy.admit(first)
        desk.policy.admit(second)
    await desk.book.stop()
    assert written == [{one.kid, two.kid}]
    assert {t.last_used_at for t in await desk.store.tokens()} == {desk.clock.now()}


async def test_what_is_not_there_is_told(desk: Desk) -> None:
    for verb in (desk.book.revoke("nobody"), desk.book.rotate("nobody", "")):
        with pytest.raises(NotFound) as error:
            await verb
        assert error.value.code == "token_not_found"


@pytest.mark.parametrize(
    ("name", "roles", "groups", "expires_in"),
    [
        ("", ["client"], None, None),
        ("a\nb", ["client"], None, None),
        ("ci", [], None, None),
        ("ci", ["king"], None, None),
        ("ci", ["client"], [], None),
        ("ci", ["client"], ["\u202e"], None),
        ("ci", ["client"], None, 0),
        ("ci", ["client"], None, -1),
        ("ci", ["client"], None, LONGEST + 1),
    ],
)
def test_what_no_token_can_be_is_refused(
    name: str, roles: list[str], groups: list[str] | None, expires_in: int
) -> None:
    with pytest.raises(InvalidInput):
        make_token(name, roles, groups, now=0, expires_in=expires_in)


def test_two_tokens_are_never_alike() -> None:
    made = [make_token("ci", ["client"], now=0) for _ in range(1_000)]
    assert len({token.kid for token, _ in made}) == len({text for _, text in made}) == 1_000
    assert all(kid_of(text) == token.kid for token, text in made)


async def test_no_secret_stands_in_a_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token, text = await desk.make()
    for _ in range(20):
        desk.lets_in(text[:-1] + "x")
    desk.policy.admit(text, "10.0.0.1")
    await desk.book.rotate(token.kid, "somebody")
    await desk.book.revoke(token.kid)
    assert text.partition(".")[2] not in caplog.text


async def test_tokens_of_a_file_end_with_it() -> None:
    secret = make_secret()
    policy = Policy(open_mode=False, tokens=Tokens([Token.of(secret, ["worker"])]))
    grant = policy.admit(secret)
    assert grant.name == "worker token"
    assert grant.everywhere
    assert policy.still_good(grant)
    policy.renew(Tokens([Token.of(secret, ["worker", "client"])]))
    assert policy.still_good(grant), "more roles do no harm"
    policy.renew(Tokens([Token.of(secret, ["viewer"])]))
    assert not policy.still_good(grant), "what it was let in with is no longer what it may do"
    policy.renew(Tokens())
    assert not policy.still_good(grant)
