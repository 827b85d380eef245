"""A link inside one process: everything arrives, in order, and both sides hear of the end once."""

import asyncio

from doors_kit import Node

from rota.link.carrier import Carrier
from rota.transport.local import LocalDoor


class Ear:
    """A receiver that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.endings: list[tuple[int, str]] = []

    def message(self, data: bytes) -> None:
        self.heard.append(data)

    def closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


async def a_pair() -> tuple[Carrier, Ear, Carrier, Ear]:
    ours, theirs = Ear(), Ear()
    made: list[Carrier] = []

    def make(carrier: Carrier, token: str | None) -> Ear:
        assert token == "t"
        made.append(carrier)
        return theirs

    carrier = await LocalDoor(make).dial("local:", "t", ours)
    return carrier, ours, made[0], theirs


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_messages_arrive_in_order_and_not_before_the_next_turn() -> None:
    carrier, _, _, theirs = await a_pair()
    for number in range(3):
        carrier.write(b"%d" % number)
    assert theirs.heard == []
    assert carrier.buffered == 3
    await turn()
    assert theirs.heard == [b"0", b"1", b"2"]
    assert carrier.buffered == 0


async def test_what_was_written_before_the_end_arrives_and_both_hear_of_it_once() -> None:
    carrier, ours, other, theirs = await a_pair()
    carrier.write(b"last")
    carrier.close(4409, "enough")
    other.close(1000, "me too")
    carrier.close(1000, "again")
    carrier.write(b"too late")
    other.write(b"too late")
    await turn()
    assert theirs.heard == [b"last"]
    assert ours.heard == []
    assert ours.endings == theirs.endings == [(4409, "enough")]


async def test_a_client_reaches_the_node_in_its_own_loop(node: Node) -> None:
    peer = await node.client()
    assert len(node.lobby) == 1
    peer.carrier.close(1000, "")
    await peer.end()
    assert len(node.lobby) == 0
