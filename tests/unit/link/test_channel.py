"""The channel: credit both ways, liveness, limits."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.link.channel import Channel
from rota.link.codes import Close, LinkFault
from rota.wire.v1.link_pb2 import Done, Frame, Get, Ping


def data_frame(size: int) -> Frame:
    return Frame(get=Get(ids=[b"x" * size]))


def pump(sender: Channel, receiver: Channel) -> list[Frame]:
    return [receiver.receive(message, 0.0) for message in sender.flush(0.0)]


def test_frames_arrive_in_order_and_whole() -> None:
    a, b = Channel(0), Channel(0)
    for number in range(1, 4):
        a.send(Frame(request=number, done=Done()))
    assert [frame.request for frame in pump(a, b)] == [1, 2, 3]


def test_a_sender_without_credit_holds_back_until_the_other_side_has_dealt_with_frames() -> None:
    a, b = Channel(0), Channel(0, window=1000)
    a.open(1000)
    for _ in range(5):
        a.send(data_frame(600))
    first = a.flush(0)
    assert len(first) == 2
    assert a.backlog > 1700
    for message in first:
        b.receive(message, 0)
        b.dealt_with(len(message))
    pump(b, a)
    assert len(a.flush(0)) == 2
    assert a.backlog < 700


def test_a_sender_that_ignores_credit_is_cut_off() -> None:
    a, b = Channel(0), Channel(0, window=1000)
    a.open(10_000)
    for _ in range(3):
        a.send(data_frame(600))
    messages = a.flush(0)
    b.receive(messages[0], 0)
    b.receive(messages[1], 0)
    with pytest.raises(LinkFault) as fault:
        b.receive(messages[2], 0)
    assert fault.value.code is Close.FLOW


def test_a_ping_and_credit_pass_when_there_is_no_credit() -> None:
    a, b = Channel(0), Channel(0, window=100)
    a.open(100)
    for _ in range(3):
        a.send(data_frame(200))
    a.send(Frame(ping=Ping()))
    assert [frame.WhichOneof("body") for frame in pump(a, b)] == ["get", "ping"]


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
def test_the_frame_limit_holds_to_the_byte(size: int, fits: bool) -> None:
    overhead = len(data_frame(900).SerializeToString()) - 900
    message = data_frame(size - overhead).SerializeToString()
    assert len(message) == size
    channel = Channel(0, max_frame=1000)
    if fits:
        channel.receive(message, 0)
        return
    with pytest.raises(LinkFault) as fault:
        channel.receive(message, 0)
    assert fault.value.code is Close.TOO_BIG


def test_silence_of_three_heartbeats_is_a_loss() -> None:
    channel = Channel(0, heartbeat=2.0)
    channel.tick(5.9)
    with pytest.raises(LinkFault) as fault:
        channel.tick(6.1)
    assert fault.value.code is Close.SILENT


def test_a_silent_side_pings_and_a_talking_one_does_not() -> None:
    channel = Channel(0, heartbeat=2.0)
    channel.tick(1.0)
    assert channel.flush(1.0) == []
    channel.tick(1.9)
    assert Frame.FromString(channel.flush(1.9)[0]).WhichOneof("body") == "ping"
    channel.tick(2.5)
    assert channel.flush(2.5) == []


@given(st.binary(max_size=400))
def test_garbage_is_a_frame_or_a_fault_never_a_crash(data: bytes) -> None:
    channel = Channel(0)
    with contextlib.suppress(LinkFault):
        channel.receive(data, 0)


@given(st.lists(st.integers(1, 3000), max_size=40), st.integers(500, 4000))
def test_no_sequence_of_sizes_deadlocks_or_breaks_the_window(sizes: list[int], window: int) -> None:
    a, b = Channel(0), Channel(0, window=window)
    a.open(window)
    for size in sizes:
        a.send(data_frame(size))
    arrived = 0
    for _ in range(len(sizes) + 1):
        for message in a.flush(0):
            b.receive(message, 0)
            b.dealt_with(len(message))
            arrived += 1
        pump(b, a)
    assert arrived == len(sizes)
