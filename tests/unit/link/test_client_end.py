"""The client's end: requests find their answers, and survive the loss of a link where that does no harm."""

from __future__ import annotations

import pytest

from rota.link.client_end import ClientEnd
from rota.link.codes import Close, LinkFault
from rota.model.errors import InvalidInput, Overloaded, RotaError, Unavailable
from rota.wire.v1.link_pb2 import (
    Done,
    Ended,
    Failure,
    Frame,
    Get,
    LogLine,
    Logs,
    NewTask,
    ReadLogs,
    Retry,
    Submit,
    Submitted,
    TaskPage,
)

A, B, C = (bytes([n]) * 16 for n in (1, 2, 3))


class Wire:
    """What the client end sent."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.up = True

    def __call__(self, frame: Frame) -> bool:
        kept = Frame()
        kept.CopyFrom(frame)
        self.frames.append(kept)
        return self.up

    def taken(self) -> list[Frame]:
        frames, self.frames = self.frames, []
        return frames


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def end(wire: Wire) -> ClientEnd:
    end = ClientEnd(wire)
    end.up()
    return end


def ended(*ids: bytes, state: str = "succeeded") -> Frame:
    return Frame(ended=Ended(outcomes=[Ended.Outcome(id=each, state=state) for each in ids]))


def test_answers_find_their_requests_in_any_order(wire: Wire, end: ClientEnd) -> None:
    got: list[tuple[str, object]] = []
    first = end.ask(Frame(get=Get(ids=[A])), lambda frame: got.append(("first", frame)))
    second = end.ask(Frame(get=Get(ids=[B])), lambda frame: got.append(("second", frame)))
    assert [frame.request for frame in wire.taken()] == [first, second]
    end.received(Frame(request=second, tasks=TaskPage(cursor="2")))
    end.received(Frame(request=first, failure=Failure(code="not_found")))
    assert [name for name, _ in got] == ["second", "first"]
    assert len(end) == 0


def test_an_answer_that_nobody_waits_for_is_dropped(end: ClientEnd) -> None:
    number = end.ask(Frame(get=Get()), lambda frame: pytest.fail("it was dropped"))
    end.drop(number)
    end.received(Frame(request=number, tasks=TaskPage()))
    end.received(Frame(request=99, tasks=TaskPage()))
    end.received(ended(A))


def test_unanswered_requests_are_asked_again_in_order_on_the_next_link(wire: Wire, end: ClientEnd) -> None:
    answers: list[object] = []
    end.ask(Frame(submit=Submit(tasks=[NewTask(id=A)])), answers.append)
    end.ask(Frame(get=Get(ids=[A])), answers.append)
    wire.taken()[0].credit = 5
    end.down("broke")
    assert answers == []
    end.up()
    again = wire.taken()
    assert [frame.WhichOneof("body") for frame in again] == ["submit", "get"]
    assert again[0].submit.tasks[0].id == A
    assert again[0].credit == 0


def test_credit_of_the_old_link_is_not_given_again(end: ClientEnd, wire: Wire) -> None:
    frame = Frame(get=Get(ids=[A]))
    end.ask(frame, lambda _: None)
    frame.credit = 1_000  # as the channel sets it when it sends
    end.down("broke")
    wire.taken()
    end.up()
    assert wire.taken()[0].credit == 0


def test_a_request_that_may_not_be_repeated_is_answered_with_outcome_unknown(wire: Wire, end: ClientEnd) -> None:
    answers: list[Frame | RotaError] = []
    end.ask(Frame(retry=Retry(ids=[A])), answers.append, repeatable=False)
    end.down("broke")
    assert isinstance(answers[0], Unavailable)
    assert answers[0].code == "outcome_unknown"
    wire.taken()
    end.up()
    assert wire.taken() == []


def test_a_request_that_was_never_sent_is_sent_when_there_is_a_link(wire: Wire) -> None:
    end = ClientEnd(wire)
    end.ask(Frame(retry=Retry(ids=[A])), lambda _: None, repeatable=False)
    end.down("never was up")
    assert wire.taken() == []
    end.up()
    assert wire.taken()[0].HasField("retry")


def test_more_requests_than_the_bound_are_refused(wire: Wire) -> None:
    end = ClientEnd(wire, most_requests=2)
    for _ in range(2):
        end.ask(Frame(get=Get()), lambda _: None)
    with pytest.raises(Overloaded, match="wait for some of them"):
        end.ask(Frame(get=Get()), lambda _: None)


def test_a_request_that_is_too_large_is_told_at_once() -> None:
    def too_big(frame: Frame) -> bool:
        raise LinkFault(Close.TOO_BIG, "a frame of 9 bytes; the limit is 8")

    end = ClientEnd(too_big)
    end.up()
    with pytest.raises(InvalidInput, match="limit is 8"):
        end.ask(Frame(get=Get()), lambda _: None)
    assert len(end) == 0


def test_everybody_who_waits_for_a_task_is_told_once(wire: Wire, end: ClientEnd) -> None:
    told: list[str] = []
    end.watch([(A, lambda _: told.append("one")), (B, lambda _: told.append("b"))])
    end.watch([(A, lambda _: told.append("two"))])
    assert [list(frame.wait.ids) for frame in wire.taken()] == [[A, B]]
    end.received(ended(A))
    end.received(ended(A))
    assert told == ["one", "two"]
    assert end.waiting == 1


def test_waits_are_told_to_the_next_node(wire: Wire, end: ClientEnd) -> None:
    told: list[object] = []
    end.watch([(A, told.append), (B, told.append)])
    end.received(Frame(request=wire.taken()[0].request, done=Done()))
    end.received(ended(A))
    end.down("broke")
    end.up()
    assert [list(frame.wait.ids) for frame in wire.taken()] == [[B]]
    end.received(ended(B))
    assert len(told) == 2


def test_a_wait_in_an_unanswered_submit_goes_again_with_the_submit_alone(wire: Wire, end: ClientEnd) -> None:
    """Asked by itself, the node might not know the task yet and call it unknown."""
    end.expect(A, lambda _: None)
    number = end.ask(Frame(submit=Submit(tasks=[NewTask(id=A)], wait=True)), lambda _: None)
    end.down("broke")
    wire.taken()
    end.up()
    assert [frame.WhichOneof("body") for frame in wire.taken()] == ["submit"]
    end.received(Frame(request=number, submitted=Submitted()))
    end.arrived(A)
    end.down("broke")
    end.up()
    assert [frame.WhichOneof("body") for frame in wire.taken()] == ["wait"]


def test_a_refused_wait_tells_those_who_wait(wire: Wire, end: ClientEnd) -> None:
    told: list[object] = []
    end.watch([(A, told.append), (B, told.append)])
    end.received(Frame(request=wire.taken()[0].request, failure=Failure(code="forbidden")))
    assert [frame.failure.code for frame in told if isinstance(frame, Frame)] == ["forbidden", "forbidden"]
    assert end.waiting == 0


def test_the_node_hears_when_the_last_one_stops_waiting(wire: Wire, end: ClientEnd) -> None:
    one, two = (lambda _: None), (lambda _: None)
    end.watch([(A, one), (A, two), (B, one)])
    wire.taken()
    end.unwatch([(A, one)])
    assert wire.taken() == []
    end.unwatch([(A, two), (B, one), (C, one)])
    assert [list(frame.unwait.ids) for frame in wire.taken()] == [[A, B]]


def test_many_waits_go_in_frames_of_a_thousand(wire: Wire, end: ClientEnd) -> None:
    ids = [number.to_bytes(16, "big") for number in range(2_500)]
    end.watch((each, lambda _: None) for each in ids)
    assert [len(frame.wait.ids) for frame in wire.taken()] == [1000, 1000, 500]


def test_a_followed_log_goes_on_from_its_last_line_after_a_lost_link(wire: Wire, end: ClientEnd) -> None:
    got: list[list[int]] = []
    number = end.ask(
        Frame(read_logs=ReadLogs(id=A, follow=True)),
        lambda frame: got.append([line.number for line in frame.logs.lines]),
    )
    end.received(Frame(request=number, logs=Logs(lines=[LogLine(number=4), LogLine(number=7)])))
    end.down("broke")
    wire.taken()
    end.up()
    assert wire.taken()[0].read_logs.after == 7
    end.received(Frame(request=number, logs=Logs(lines=[LogLine(number=8)], complete=True)))
    assert got == [[4, 7], [8]]
    assert len(end) == 0


def test_giving_up_answers_the_older_requests_only(end: ClientEnd) -> None:
    answers: dict[str, object] = {}
    end.ask(Frame(get=Get()), lambda answer: answers.update(old=answer), now=1.0)
    end.ask(Frame(get=Get()), lambda answer: answers.update(new=answer), now=9.0)
    assert end.oldest() == 1.0
    end.give_up(5.0, lambda sent: Unavailable("gone" if sent else "never sent"))
    assert str(answers["old"]) == "gone"
    assert "new" not in answers


def test_when_no_link_will_come_everything_is_answered(end: ClientEnd) -> None:
    answers: list[object] = []
    end.ask(Frame(get=Get()), answers.append)
    end.watch([(A, answers.append)])
    error = RotaError("over")
    end.fail_all(error)
    assert answers.count(error) == 2
    assert (len(end), end.waiting) == (0, 0)
