"""The worker's end: nothing that it held or finished is forgotten, whatever the link does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.link import worker_end
from rota.link.worker_end import Attempt, WorkerEnd
from rota.model.report import Verdict
from rota.model.worker import Facts, Load
from rota.wire.v1 import link_pb2 as pb

FACTS = Facts("w", slots=2)


def tid(number: int) -> bytes:
    return number.to_bytes(16, "big")


def assign(*pairs: tuple[int, int]) -> pb.Assign:
    return pb.Assign(tasks=[pb.Assignment(id=tid(n), attempt=a, method="m") for n, a in pairs])


def welcome(**more: Any) -> pb.Welcome:
    return pb.Welcome(lease_ttl=20_000_000, closed_lease_ttl=5_000_000, **more)


def at_work(now: float = 0.0, **more: Any) -> WorkerEnd[Attempt]:
    end = WorkerEnd(Attempt)
    link(end, now, **more)
    return end


def link(end: WorkerEnd[Attempt], now: float = 0.0, lost: Any = (), **more: Any) -> pb.Register:
    end.up(welcome(**more), now)
    frame = end.register(FACTS, [], b"k" * 16, now)
    end.is_registered(frame.request, pb.Registered(lost=[pb.Ref(id=tid(n), attempt=a) for n, a in lost]))
    return frame.register


def finish(end: WorkerEnd[Attempt], attempt: Attempt, result: bytes = b"1") -> None:
    attempt.started_at, attempt.verdict, attempt.result = 7, Verdict.SUCCEEDED, result
    end.finish(attempt)


def refs(messages: Any) -> list[tuple[int, int]]:
    return [(int.from_bytes(m.id, "big"), m.attempt) for m in messages]


def held(end: WorkerEnd[Attempt]) -> list[tuple[int, int]]:
    return refs(end.held.values())


# ---------------------------------------------------------------- assignments


def test_a_doubled_or_older_assignment_changes_nothing() -> None:
    end = at_work()
    assert refs(end.assigned(assign((1, 3)))[0]) == [(1, 3)]
    assert end.assigned(assign((1, 3), (1, 2))) == ([], [])
    assert held(end) == [(1, 3)]


def test_a_newer_attempt_shows_the_older_one_to_be_lost() -> None:
    end = at_work()
    (old,), _ = end.assigned(assign((1, 1)))
    new, stale = end.assigned(assign((1, 2)))
    assert (refs(new), stale) == ([(1, 2)], [old])
    finish(end, old)
    assert end.outcomes(0) is None


def test_an_assignment_is_not_taken_again_while_its_outcome_is_unconfirmed() -> None:
    end = at_work()
    (attempt,), _ = end.assigned(assign((1, 1)))
    finish(end, attempt)
    assert end.assigned(assign((1, 1))) == ([], [])


def test_a_stop_finds_only_the_unfinished_attempt_that_it_names() -> None:
    end = at_work()
    (one, two), _ = end.assigned(assign((1, 2), (2, 1)))
    finish(end, two)
    asked = [pb.Ref(id=tid(n), attempt=a) for n, a in ((1, 1), (1, 2), (2, 1), (3, 1))]
    assert end.find(asked) == [one]


def test_a_start_is_told_once_with_its_instant() -> None:
    end = at_work()
    (one, two), _ = end.assigned(assign((1, 1), (2, 1)))
    one.started_at = 5
    frame = end.declare([one, two], now=9)
    assert [(t.started_at) for t in frame.started.tasks] == [5, 9]
    assert one.declared
    assert two.declared


def test_what_is_released_is_no_longer_held() -> None:
    end = at_work()
    runs, _ = end.assigned(assign((1, 1), (2, 1)))
    frame = end.release(runs[1:], "recalled")
    assert (refs(frame.release.tasks), frame.release.reason) == ([(2, 1)], "recalled")
    assert held(end) == [(1, 1)]


# ---------------------------------------------------------------- outcomes


def test_outcomes_go_out_together_and_are_forgotten_when_confirmed() -> None:
    end = at_work()
    runs, _ = end.assigned(assign((1, 1), (2, 1)))
    for run in runs:
        finish(end, run)
    frame = end.outcomes(0)
    assert frame is not None
    assert refs(frame.finish.results) == [(1, 1), (2, 1)]
    assert end.outcomes(0) is None
    assert end.confirmed(frame.request, pb.Finished()) == []
    assert (end.held, end.unconfirmed) == ({}, 0)
    assert end.confirmed(frame.request, pb.Finished()) == []


def test_a_refused_outcome_is_told_to_the_caller_and_not_sent_again() -> None:
    end = at_work()
    (run,), _ = end.assigned(assign((1, 1)))
    finish(end, run)
    frame = end.outcomes(0)
    assert frame is not None
    refused = pb.Finished(refused=[pb.Finished.Refused(index=0, code="stale_attempt"), pb.Finished.Refused(index=9)])
    ((attempt, code, _),) = end.confirmed(frame.request, refused)
    assert (attempt, code, end.unconfirmed) == (run, "stale_attempt", 0)


def test_only_so_many_frames_are_under_way_and_the_rest_gathers() -> None:
    end = at_work()
    runs, _ = end.assigned(assign(*((n, 1) for n in range(20))))
    frames = []
    for run in runs:
        finish(end, run)
        frames.append(end.outcomes(0))
    assert sum(frame is not None for frame in frames) == worker_end.MAX_IN_FLIGHT
    first = next(frame for frame in frames if frame is not None)
    end.confirmed(first.request, pb.Finished())
    gathered = end.outcomes(0)
    assert gathered is not None
    assert len(gathered.finish.results) == 20 - worker_end.MAX_IN_FLIGHT


@pytest.mark.parametrize(("size", "per_frame"), [(1, 20), (400_000, 2), (900_000, 1)])
def test_a_frame_of_outcomes_stays_within_its_size(size: int, per_frame: int) -> None:
    end = at_work(max_batch=1000)
    runs, _ = end.assigned(assign(*((n, 1) for n in range(20))))
    for run in runs:
        finish(end, run, b"x" * size)
    frame = end.outcomes(0)
    assert frame is not None
    assert len(frame.finish.results) == per_frame


def test_a_batch_stays_within_the_nodes_limit() -> None:
    end = at_work(max_batch=3)
    runs, _ = end.assigned(assign(*((n, 1) for n in range(7))))
    for run in runs:
        finish(end, run)
    assert [len(frame.finish.results) for frame in iter(lambda: end.outcomes(0), None)] == [3, 3, 1]


def test_nothing_is_reported_before_the_registration_is_answered() -> None:
    end = at_work()
    (run,), _ = end.assigned(assign((1, 1)))
    end.down(0)
    finish(end, run)
    end.up(welcome(), 1)
    frame = end.register(FACTS, [], b"k" * 16, 1)
    assert refs(frame.register.held) == [(1, 1)]
    assert end.outcomes(1) is None
    end.is_registered(frame.request, pb.Registered())
    assert end.outcomes(1) is not None


def test_unconfirmed_outcomes_are_told_again_in_order_over_the_next_link() -> None:
    end = at_work(max_batch=1)
    runs, _ = end.assigned(assign(*((n, 1) for n in range(4))))
    for run in runs:
        finish(end, run)
    assert end.outcomes(0) is not None
    assert end.outcomes(0) is not None
    end.down(0)
    register = link(end, 1, max_batch=10)
    assert refs(register.held) == [(n, 1) for n in range(4)]
    frame = end.outcomes(1)
    assert frame is not None
    assert refs(frame.finish.results) == [(n, 1) for n in range(4)]


def test_outcomes_of_lost_attempts_are_dropped() -> None:
    end = at_work()
    runs, _ = end.assigned(assign((1, 1), (2, 1), (3, 1)))
    finish(end, runs[0])
    finish(end, runs[1])
    end.down(0)
    end.up(welcome(), 1)
    frame = end.register(FACTS, [], b"k" * 16, 1)
    lost = pb.Registered(lost=[pb.Ref(id=tid(1), attempt=1), pb.Ref(id=tid(3), attempt=1)])
    assert end.is_registered(frame.request, lost) == [runs[2]]
    told = end.outcomes(1)
    assert told is not None
    assert refs(told.finish.results) == [(2, 1)]
    assert held(end) == [(2, 1)]


@pytest.mark.parametrize("code", sorted(worker_end.AWAY))
def test_outcomes_that_a_node_cannot_take_now_wait_their_time(code: str) -> None:
    end = at_work()
    (run,), _ = end.assigned(assign((1, 1)))
    finish(end, run)
    frame = end.outcomes(0)
    assert frame is not None
    assert end.failed(frame.request, pb.Failure(code=code, retry_after=3_000_000), 10) == []
    assert end.outcomes(12.9) is None
    assert end.resumes_at == 13
    assert end.outcomes(13) is not None


def test_outcomes_that_a_node_never_takes_are_told_as_failures_once() -> None:
    end = at_work()
    (run,), _ = end.assigned(assign((1, 1)))
    finish(end, run)
    for expected in (pb.SUCCEEDED, pb.RAISED):
        frame = end.outcomes(0)
        assert frame is not None
        assert frame.finish.results[0].verdict == expected
        end.failed(frame.request, pb.Failure(code="invalid_input", detail="bad"), 0)
    assert (end.outcomes(0), end.unconfirmed, end.held) == (None, 0, {})


def test_an_abandoned_attempt_is_reported_without_its_handlers_outcome() -> None:
    end = at_work()
    (run,), _ = end.assigned(assign((1, 1)))
    run.started_at = 5
    end.give_up(run, Verdict.ABANDONED_STOPPED, None)
    finish(end, run)
    frame = end.outcomes(0)
    assert frame is not None
    assert [(r.verdict, r.started_at) for r in frame.finish.results] == [(pb.ABANDONED_STOPPED, 5)]


def test_a_full_spool_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_end, "SPOOL_BYTES", 1000)
    end = at_work()
    runs, _ = end.assigned(assign((1, 1), (2, 1)))
    end.down(0)
    finish(end, runs[0], b"x" * 1000)
    assert not end.spool_full
    finish(end, runs[1], b"x")
    assert end.spool_full
    link(end)
    frame = end.outcomes(0)
    assert frame is not None
    end.confirmed(frame.request, pb.Finished())
    assert not end.spool_full


# ---------------------------------------------------------------- leases (ttl 20 s, three quarters of it, less 0.5 s)


def test_leases_are_counted_from_when_the_registration_was_sent() -> None:
    end = WorkerEnd(Attempt)
    end.up(welcome(), 10)
    frame = end.register(FACTS, [], b"k" * 16, 10)
    end.is_registered(frame.request, pb.Registered())
    assert end.lease_until == pytest.approx(24.5)


def test_a_heartbeat_renews_from_when_it_was_sent_once_it_is_answered() -> None:
    end = at_work(0)
    first = end.heartbeat(Load(), 5)
    assert end.lease_until == pytest.approx(14.5)
    end.done(first.request)
    assert end.lease_until == pytest.approx(19.5)
    second = end.heartbeat(Load(), 10)
    assert end.lease_until == pytest.approx(19.5)
    end.done(second.request)
    assert end.lease_until == pytest.approx(24.5)


def test_a_link_that_is_half_open_from_its_beginning_renews_nothing() -> None:
    """A cut before the first answer: beats into the void must not keep a lease that the node lets lapse."""
    end = at_work(0)
    runs, _ = end.assigned(assign((1, 1)))
    for at in range(1, 15):
        end.heartbeat(Load(), at)
    assert end.lapsed(14.4) == []
    assert end.lapsed(14.5) == runs


def test_a_lost_link_shortens_the_leases_by_the_last_send() -> None:
    end = at_work(0)
    runs, _ = end.assigned(assign((1, 1), (2, 1), (3, 1)))
    finish(end, runs[2])
    end.down(last_sent=2)
    assert end.lease_until == pytest.approx(6.5)
    assert end.lapsed(6.4) == []
    assert end.lapsed(6.5) == runs[:2]
    assert held(end) == [(3, 1)]
    assert refs(link(end, 8).held) == [(3, 1)]
    assert end.lease_until == pytest.approx(22.5)


def test_a_second_registration_over_one_link_renews_nothing() -> None:
    end = at_work(0)
    frame = end.register(FACTS, [], b"k" * 16, 9)
    end.is_registered(frame.request, pb.Registered())
    assert end.lease_until == pytest.approx(14.5)
    end.is_registered(99, pb.Registered())
    assert end.lease_until == pytest.approx(14.5)


# ---------------------------------------------------------------- whatever happens


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["assign", "finish", "send", "confirm", "away", "cut", "drop", "beat"]), st.integers(0, 7)
    ),
    max_size=60,
)


@given(_STEPS)
def test_every_outcome_is_told_until_it_is_confirmed(steps: list[tuple[str, int]]) -> None:
    end = at_work(max_batch=2)
    unfinished: dict[bytes, Attempt] = {}
    unconfirmed: set[tuple[int, int]] = set()
    under_way: list[pb.Frame] = []
    attempts = dict.fromkeys(range(8), 0)
    for step, number in steps:
        if step == "assign":
            attempts[number] += 1
            new, stale = end.assigned(assign((number, attempts[number])))
            for attempt in stale:
                del unfinished[attempt.id]
            unfinished.update({attempt.id: attempt for attempt in new})
        elif step == "finish" and (run := unfinished.pop(tid(number), None)) is not None:
            finish(end, run)
            unconfirmed.add((number, run.attempt))
        elif step == "drop" and (run := unfinished.pop(tid(number), None)) is not None:
            end.release([run], "recalled")
        elif step == "send":
            under_way += list(iter(lambda: end.outcomes(0), None))
        elif step == "confirm" and under_way:
            frame = under_way.pop(number % len(under_way))
            end.confirmed(frame.request, pb.Finished())
            unconfirmed -= set(refs(frame.finish.results))
        elif step == "away" and under_way:
            end.failed(under_way.pop(number % len(under_way)).request, pb.Failure(code="unavailable"), -10)
        elif step == "cut":
            under_way.clear()
            end.down(0)
            told = set(refs(link(end, 0, max_batch=2).held))
            assert unconfirmed <= told
            assert {(int.from_bytes(i, "big"), a.attempt) for i, a in unfinished.items()} <= told
        elif step == "beat":
            end.done(end.heartbeat(Load(), 0).request)
    assert end.unconfirmed == len(unconfirmed)
    under_way += list(iter(lambda: end.outcomes(0), None))
    while under_way:
        frame = under_way.pop(0)
        end.confirmed(frame.request, pb.Finished())
        unconfirmed -= set(refs(frame.finish.results))
        under_way += list(iter(lambda: end.outcomes(0), None))
    assert (unconfirmed, end.unconfirmed) == (set(), 0)
    assert set(end.held) == set(unfinished)
