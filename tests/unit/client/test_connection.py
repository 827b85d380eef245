"""A connection is kept up: dialled, greeted, opened again, ended for good only where coming again cannot help."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fake_node import FakeNode

from rota.client.connection import Connection
from rota.link.codes import Close, LinkFault
from rota.model.errors import Conflict, NotAuthenticated, RefusesToStart, RotaError
from rota.wire.v1.link_pb2 import Frame, Get, TaskPage, Welcome


class Watched(Connection):
    """A connection whose events can be waited for."""

    def __init__(self, node: FakeNode, urls: list[str] | None = None, **more: object) -> None:
        self.events: asyncio.Queue[tuple[str, object]] = asyncio.Queue()
        super().__init__(
            urls or ["http://a:1"],
            dial=node.dial,
            on_frame=lambda frame, size: self.events.put_nowait(("frame", (frame, size))),
            on_up=self.came_up,
            on_down=lambda reason: self.events.put_nowait(("down", reason)),
            on_final=lambda error: self.events.put_nowait(("final", error)),
            chance=lambda: 0.0,
            **more,  # type: ignore[arg-type]
        )
        self.first: list[Frame] = []

    def came_up(self, welcome: Welcome) -> None:
        for frame in self.first:
            self.send(frame)
        self.events.put_nowait(("up", welcome))

    async def next(self, kind: str) -> object:
        async with asyncio.timeout(5):
            got, what = await self.events.get()
        assert got == kind, (got, what)
        return what


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
async def connection(node: FakeNode) -> AsyncIterator[Watched]:
    connection = Watched(node, token="secret")
    yield connection
    await connection.stop()


async def test_it_greets_and_then_carries_frames_both_ways(node: FakeNode, connection: Watched) -> None:
    node.answer = lambda link, frame: Frame(tasks=TaskPage(cursor="c"))
    connection.start()
    welcome = await connection.next("up")
    assert connection.welcome is welcome
    assert (node.link.hello.token, list(node.link.hello.versions)) == ("secret", [1])
    assert connection.send(Frame(request=7, get=Get(ids=[b"x"])))
    frame, size = await connection.next("frame")  # type: ignore[misc]
    assert (frame.request, frame.tasks.cursor) == (7, "c")
    assert size > 0


async def test_what_is_sent_while_the_link_is_down_is_not_queued(node: FakeNode, connection: Watched) -> None:
    assert not connection.send(Frame(request=1, get=Get()))
    connection.start()
    await connection.next("up")
    assert node.frames == []


async def test_what_is_sent_as_the_link_comes_up_goes_first(node: FakeNode, connection: Watched) -> None:
    connection.first = [Frame(request=1, get=Get(ids=[b"first"]))]
    connection.start()
    await connection.next("up")
    connection.send(Frame(request=2, get=Get(ids=[b"second"])))
    frames = await node.until("get", 2)
    assert [frame.request for frame in frames] == [1, 2]


async def test_a_lost_link_is_opened_again(node: FakeNode, connection: Watched) -> None:
    connection.start()
    await connection.next("up")
    node.link.close(Close.ABNORMAL, "broke")
    assert "broke" in str(await connection.next("down"))
    began = asyncio.get_running_loop().time()
    await connection.next("up")
    assert asyncio.get_running_loop().time() - began < 0.5
    assert len(node.links) == 2


async def test_it_goes_on_to_the_next_address_when_one_fails(node: FakeNode) -> None:
    connection = Watched(node, ["http://a:1", "http://b:2"])
    node.refuses = ConnectionRefusedError("refused")
    connection.start()
    while len(node.dialled) < 2:
        await asyncio.sleep(0)
    node.refuses = None
    await connection.next("up")
    assert node.dialled[:3] == ["http://a:1", "http://b:2", "http://a:1"]
    await connection.stop()


async def test_failed_tries_are_counted_and_the_last_error_is_kept(node: FakeNode, connection: Watched) -> None:
    node.refuses = ConnectionRefusedError("nobody there")
    connection.start()
    while connection.attempts_failed < 2:
        await asyncio.sleep(0.01)
    assert connection.last_error == "http://a:1: nobody there"
    assert connection.welcome is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Close.NOT_AUTHENTICATED, NotAuthenticated),
        (Close.SUPERSEDED, Conflict),
        (Close.UNKNOWN_VERSION, RotaError),
    ],
)
async def test_a_final_code_ends_it(node: FakeNode, connection: Watched, code: Close, kind: type[RotaError]) -> None:
    connection.start()
    await connection.next("up")
    node.link.close(code, "told so")
    await connection.next("down")
    error = await connection.next("final")
    assert isinstance(error, kind)
    assert "told so" in str(error)
    assert len(node.dialled) == 1


@pytest.mark.parametrize("error", [NotAuthenticated("no"), RefusesToStart("taken")])
async def test_a_refusal_at_the_door_ends_it(node: FakeNode, connection: Watched, error: RotaError) -> None:
    node.refuses = error
    connection.start()
    assert await connection.next("final") is error


async def test_a_silent_node_is_left(node: FakeNode, connection: Watched) -> None:
    node.welcome.heartbeat = 20_000  # microseconds: lost after 60 ms of silence
    connection.start()
    await connection.next("up")
    assert "nothing heard" in str(await connection.next("down"))


async def test_a_node_that_pings_is_kept(node: FakeNode, connection: Watched) -> None:
    node.welcome.heartbeat = 100_000  # lost after 300 ms of silence
    connection.start()
    await connection.next("up")
    for _ in range(12):
        await asyncio.sleep(0.04)
        node.link.send(Frame(ping={}))
    assert connection.events.empty()


async def test_stop_says_goodbye_after_what_was_sent(node: FakeNode, connection: Watched) -> None:
    connection.start()
    await connection.next("up")
    connection.send(Frame(get=Get(ids=[b"x"])))
    await connection.stop("enough")
    await connection.stop()
    assert len(node.bodies("get")) == 1
    assert (node.link.goodbye, node.link.ended) == ("enough", (Close.NORMAL, "enough"))


async def test_a_frame_over_the_limit_is_refused_and_the_link_stays(node: FakeNode, connection: Watched) -> None:
    node.welcome.max_frame = 2000
    connection.start()
    await connection.next("up")
    with pytest.raises(LinkFault, match="2000"):
        connection.send(Frame(get=Get(ids=[b"x" * 4000])))
    assert connection.send(Frame(get=Get(ids=[b"x"])))


async def test_room_comes_when_the_node_gives_credit(node: FakeNode, connection: Watched) -> None:
    node.welcome.window = 100_000
    connection.start()
    await connection.next("up")
    for _ in range(10):
        connection.send(Frame(get=Get(ids=[b"x" * 90_000])))
    async with asyncio.timeout(5):
        await connection.room()
    await node.until("get", 8)


async def test_received_frames_are_paid_back_once_dealt_with(node: FakeNode) -> None:
    connection = Watched(node, window=10_000)
    connection.start()
    await connection.next("up")
    for _ in range(6):
        node.link.send(Frame(tasks=TaskPage(cursor="x" * 4_000)))
    for _ in range(6):
        _, size = await connection.next("frame")  # type: ignore[misc]
        connection.dealt_with(size)
    assert node.link.channel.backlog == 0
    await connection.stop()


async def test_a_failing_receiver_costs_the_link_and_not_the_connection(node: FakeNode, connection: Watched) -> None:
    def fail(frame: Frame, size: int) -> None:
        raise RuntimeError("a bug")

    connection._on_frame = fail  # type: ignore[method-assign]
    connection.start()
    await connection.next("up")
    node.link.send(Frame(tasks=TaskPage()))
    await connection.next("down")
    await connection.next("up")
