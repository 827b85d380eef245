"""The node's end of a link: who may say what, when; nothing that arrives can break it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.link.channel import Channel
from rota.link.codes import FINAL, Close, LinkFault
from rota.link.node_end import FREE, FROM_NODE, MAX_PINGS, Arrival, NodeEnd, Terms
from rota.model.errors import InvalidInput, NotAuthenticated, NotFound, Overloaded
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

CALLS = ("submit", "get", "list", "wait", "unwait", "cancel", "retry", "read_logs", "read_stats")
HOUSE = (
    *("delete", "why", "bulk", "read_batch", "list_groups", "list_controls", "set_control", "worker_command"),
    *("read_series", "list_tokens", "create_token", "rotate_token", "revoke_token", "read_audit"),
)
WORK = ("register", "started", "finish", "release", "heartbeat", "report")
PERMITS = {
    **dict.fromkeys(CALLS, frozenset({"client"})),
    **dict.fromkeys(("list_workers", "list_methods"), frozenset({"client"})),
    **dict.fromkeys(HOUSE, frozenset({"client"})),
    **dict.fromkeys(WORK, frozenset({"worker"})),
    **dict.fromkeys(FROM_NODE, frozenset[str]()),
}
KINDS = [field.name for field in Frame.DESCRIPTOR.oneofs_by_name["body"].fields]
NOW = 1_800_000_000_000_000


def admit(token: str | None) -> frozenset[str]:
    roles = {"client": {"client"}, "worker": {"worker"}, "both": {"client", "worker"}, "nothing": set[str]()}
    if token not in roles:
        raise NotAuthenticated("a valid token is needed")
    return frozenset(roles[token])


def an_end(token: str | None = "both", **terms: Any) -> NodeEnd:
    return NodeEnd(Terms("node-1", "0.1.0", **terms), PERMITS, admit, lambda: NOW, 0.0, token)


def frame_of(kind: str, request: int = 0) -> Frame:
    frame = Frame(request=request)
    getattr(frame, kind).SetInParent()
    return frame


def hello(**said: Any) -> Frame:
    return Frame(hello=pb.Hello(**{"versions": [1], "window": 1 << 20, **said}))


def give(end: NodeEnd, frame: Frame, now: float = 0.0) -> Arrival | None:
    return end.receive(frame.SerializeToString(), now)


def a_greeted_end(token: str = "both", *, registered: bool = False, **terms: Any) -> NodeEnd:
    end = an_end(token, **terms)
    give(end, hello())
    if registered:
        give(end, frame_of("register"))
    end.flush(0.0)
    return end


def answers(end: NodeEnd, now: float = 0.0) -> list[Frame]:
    return [Frame.FromString(message) for message in end.flush(now)]


def fault_of(end: NodeEnd, frame: Frame, now: float = 0.0) -> LinkFault:
    with pytest.raises(LinkFault) as fault:
        give(end, frame, now)
    return fault.value


def test_a_hello_is_answered_with_the_nodes_terms() -> None:
    end = an_end(heartbeat=2.5, max_batch=7, lease_ttl=3)
    give(end, hello(sdk="test/1"))
    [frame] = answers(end)
    welcome = frame.welcome
    assert (welcome.version, welcome.node_id, welcome.node_version, welcome.now) == (1, "node-1", "0.1.0", NOW)
    assert (welcome.heartbeat, welcome.max_batch, welcome.lease_ttl) == (2_500_000, 7, 3)
    assert list(welcome.roles) == ["client", "worker"]
    assert end.sdk == "test/1"


@pytest.mark.parametrize("versions", [[], [2], [0, 2, 99]])
def test_an_unknown_version_is_told_what_is_spoken(versions: list[int]) -> None:
    fault = fault_of(an_end(), hello(versions=versions))
    assert fault.code is Close.UNKNOWN_VERSION
    assert "version 1" in fault.reason


def test_a_newer_client_that_also_speaks_this_version_is_welcome() -> None:
    end = an_end()
    give(end, hello(versions=[3, 2, 1]))
    assert answers(end)[0].welcome.version == 1


def test_a_token_may_come_in_the_hello() -> None:
    end = an_end(None)
    give(end, hello(token="client"))
    assert end.roles == {"client"}


@pytest.mark.parametrize(
    ("handshake", "said", "code"),
    [
        (None, "", Close.NOT_AUTHENTICATED),
        (None, "wrong", Close.NOT_AUTHENTICATED),
        ("wrong", "client", Close.NOT_AUTHENTICATED),
        ("nothing", "", Close.FORBIDDEN),
    ],
)
def test_who_has_no_role_is_not_let_in(handshake: str | None, said: str, code: Close) -> None:
    assert fault_of(an_end(handshake), hello(token=said)).code is code


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hello"])
def test_nothing_comes_before_hello(kind: str) -> None:
    assert fault_of(an_end(), frame_of(kind)).code is Close.BAD_FRAME


def test_a_second_hello_ends_the_link() -> None:
    fault = fault_of(a_greeted_end(), hello())
    assert (fault.code, "second" in fault.reason) == (Close.BAD_FRAME, True)


@pytest.mark.parametrize("kind", sorted(FROM_NODE))
def test_what_only_a_node_says_ends_the_link(kind: str) -> None:
    fault = fault_of(a_greeted_end(registered=True), frame_of(kind))
    assert (fault.code, kind in fault.reason) == (Close.BAD_FRAME, True)


@pytest.mark.parametrize("kind", [kind for kind in WORK if kind != "register"])
def test_a_worker_registers_before_it_reports(kind: str) -> None:
    assert fault_of(a_greeted_end(), frame_of(kind)).code is Close.BAD_FRAME


@pytest.mark.parametrize("kind", [*CALLS, *WORK])
def test_permitted_frames_are_passed_on(kind: str) -> None:
    arrival = give(a_greeted_end(registered=True), frame_of(kind, 5))
    assert arrival is not None
    assert (arrival.kind, arrival.request) == (kind, 5)
    assert arrival.size == (0 if kind == "heartbeat" else len(frame_of(kind, 5).SerializeToString()))


@pytest.mark.parametrize(("token", "kind"), [("client", "register"), ("worker", "submit"), ("client", "finish")])
def test_a_role_that_does_not_allow_it_is_told_so_and_the_link_goes_on(token: str, kind: str) -> None:
    end = a_greeted_end(token)
    assert give(end, frame_of(kind, 9)) is None
    [frame] = answers(end)
    assert (frame.request, frame.failure.code) == (9, "forbidden")
    own = "get" if token == "client" else "register"
    assert give(end, frame_of(own)) is not None


def test_what_a_role_does_not_allow_is_told_to_whoever_keeps_account_of_it() -> None:
    told: list[tuple[str, str]] = []
    end = NodeEnd(
        Terms("node-1", "0.1.0"), PERMITS, admit, lambda: NOW, 0.0, "worker",
        lambda kind, error: told.append((kind, error.code)),
    )  # fmt: skip
    give(end, hello())
    give(end, frame_of("register"))
    give(end, frame_of("create_token", 3))
    assert told == [("create_token", "forbidden")]


def test_every_frame_has_its_place_in_the_table_of_this_test() -> None:
    assert set(KINDS) == set(PERMITS) | FREE


def test_no_hello_within_five_seconds_ends_the_link() -> None:
    end = an_end()
    end.tick(4.9)
    with pytest.raises(LinkFault) as fault:
        end.tick(5.0)
    assert fault.value.code is Close.SILENT


def test_a_silent_peer_is_lost_after_three_heartbeats_and_a_paused_reader_is_not() -> None:
    end = a_greeted_end(heartbeat=1.0)
    end.paused(10.0)
    end.tick(12.9)
    with pytest.raises(LinkFault):
        end.tick(13.1)


def test_pings_without_end_end_the_link_and_one_a_heartbeat_does_not() -> None:
    ping = Frame(ping=pb.Ping())
    end = a_greeted_end(heartbeat=0.1)
    for n in range(1_000):
        give(end, ping, n * 0.09)
    for _ in range(MAX_PINGS):
        give(end, ping, 95.0)
    with pytest.raises(LinkFault) as fault:
        give(end, ping, 95.0)
    assert fault.value.code is Close.POLICY


def test_who_tried_too_many_tokens_is_told_to_wait_and_may_come_again() -> None:
    def wait(token: str | None) -> frozenset[str]:
        raise Overloaded("10 wrong tokens", code="too_many_logins")

    end = NodeEnd(Terms("node-1", "0.1.0"), PERMITS, wait, lambda: NOW, 0.0)
    fault = fault_of(end, hello(token="another"))
    assert fault.code is Close.POLICY
    assert fault.code not in FINAL


def test_a_goodbye_is_remembered() -> None:
    end = a_greeted_end()
    assert end.leaving is None
    give(end, Frame(goodbye=pb.Goodbye(reason="done")))
    assert end.leaving == "done"


def test_wrong_requests_are_answered_and_the_tenth_within_a_minute_ends_the_link() -> None:
    end = a_greeted_end()
    for n in range(9):
        end.refuse(n + 1, InvalidInput("wrong"), float(n))
    assert [frame.failure.code for frame in answers(end)] == ["invalid_input"] * 9
    with pytest.raises(LinkFault) as fault:
        end.refuse(10, InvalidInput("wrong"), 9.0)
    assert fault.value.code is Close.POLICY


def test_wrong_requests_now_and_then_are_borne() -> None:
    end = a_greeted_end()
    for n in range(50):
        end.refuse(n + 1, InvalidInput("wrong"), n * 7.0)


def test_what_is_not_the_callers_fault_does_not_count() -> None:
    end = a_greeted_end()
    for n in range(50):
        end.refuse(n + 1, NotFound("nothing"), 0.0)


def test_forbidden_frames_without_a_request_count_too() -> None:
    end = a_greeted_end("client")
    for _ in range(9):
        give(end, frame_of("register"))
    assert fault_of(end, frame_of("register")).code is Close.POLICY


def test_a_request_of_a_newer_version_gets_an_answer() -> None:
    end = a_greeted_end()
    unknown_field_500 = b"\x10\x05\xa2\x1f\x00"
    assert end.receive(unknown_field_500, 0.0) is None
    [frame] = answers(end)
    assert (frame.request, frame.failure.code) == (5, "unknown_request")


def test_an_answer_that_fits_no_frame_becomes_a_failure() -> None:
    end = a_greeted_end(max_frame=1000)
    end.answer(4, Frame(goodbye=pb.Goodbye(reason="x" * 2000)), 0.0)
    [frame] = answers(end)
    assert (frame.request, frame.failure.code) == (4, "answer_too_large")


def test_no_answer_goes_to_a_request_that_wants_none() -> None:
    end = a_greeted_end()
    end.answer(0, frame_of("done"), 0.0)
    end.refuse(0, NotFound("x"), 0.0)
    assert answers(end) == []


def test_refused_frames_give_their_credit_back() -> None:
    end = a_greeted_end("client", window=1000)
    big = Frame(finish=pb.Finish(results=[pb.Result(id=b"x" * 400)]))
    for _ in range(8):
        give(end, big)


messages = st.lists(
    st.sampled_from(["hello", "register", "submit", "get", "started", "finish", "release", "heartbeat", "report"])
    | st.sampled_from(["goodbye", "ping", "unwait", "wait", "drain", "welcome", "list"]),
    max_size=20,
)


@given(messages, st.data())
def test_no_order_and_no_repetition_of_frames_breaks_the_node(kinds: list[str], data: st.DataObject) -> None:
    """Each frame is passed on, answered, or ends the link by a clear fault; nothing else comes out."""
    doubled = [kind for kind in kinds for _ in range(data.draw(st.integers(1, 2)))]
    end = an_end()
    if data.draw(st.booleans()):
        give(end, hello())
    for number, kind in enumerate(doubled, 1):
        outcome = outcome_of(end, hello() if kind == "hello" else frame_of(kind, number))
        if isinstance(outcome, LinkFault):
            assert outcome.code in (Close.BAD_FRAME, Close.POLICY)
            return
        assert outcome is None or outcome.kind == kind
        assert (outcome is None) == (kind in FREE)


def outcome_of(end: NodeEnd, frame: Frame) -> Arrival | LinkFault | None:
    try:
        return give(end, frame)
    except LinkFault as fault:
        return fault


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_garbage_ends_the_link_or_is_borne(garbage: list[bytes], greeted: bool) -> None:
    end = a_greeted_end() if greeted else an_end()
    for data in garbage:
        try:
            end.receive(data, 0.0)
        except LinkFault:
            return


def test_a_client_end_and_a_node_end_understand_each_other() -> None:
    end, client = an_end(), Channel(0.0)
    client.send(hello())
    for message in client.flush(0.0):
        end.receive(message, 0.0)
    for message in end.flush(0.0):
        client.open(client.receive(message, 0.0).welcome.window)
    client.send(frame_of("get", 1))
    [message] = client.flush(0.0)
    assert end.receive(message, 0.0) == Arrival("get", pb.Get(), 1, len(message))
