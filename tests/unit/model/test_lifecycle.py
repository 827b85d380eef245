"""Every legal transition, alone and in long random lives."""

import copy
import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rota.model import lifecycle
from rota.model.change import Change
from rota.model.errors import Conflict
from rota.model.failure import Failure
from rota.model.lifecycle import Retention
from rota.model.retry import SECOND, RetryPolicy
from rota.model.task import Lane, Reason, Spec, State, Task, line_of

KEEP = Retention()
NOW = 1_800_000_000 * SECOND
TTL = 30 * SECOND
BOOM = Failure(("ValueError", "Exception"), "boom")


def half() -> float:
    return 0.5


def new(retries: int = 0, **spec: object) -> Task:
    policy = RetryPolicy(retries=retries, delay=SECOND, jitter=0.0)
    return lifecycle.accept(b"t" * 16, Spec(Lane("m"), retry=policy, **spec), NOW)


def running(retries: int = 0, started: bool = True) -> Task:
    task = new(retries)
    lifecycle.claim(task, 7, NOW, TTL).onto(task)
    if started:
        lifecycle.start(task, NOW).onto(task)
    return task


def test_a_task_with_a_future_run_at_is_scheduled_and_lines_up_by_it() -> None:
    task = lifecycle.accept(b"t" * 16, Spec(Lane("m"), priority=2), NOW, run_at=NOW + 5 * SECOND)
    assert (task.state, task.due_at) == (State.SCHEDULED, NOW + 5 * SECOND)
    assert task.line == line_of(NOW + 5 * SECOND, 2)


def test_a_task_with_a_past_run_at_is_ready_now() -> None:
    assert lifecycle.accept(b"t" * 16, Spec(Lane("m")), NOW, run_at=NOW - 1).state is State.READY


def test_a_minute_of_waiting_is_worth_one_step_of_priority() -> None:
    assert line_of(NOW, 1) == line_of(NOW - 60 * SECOND, 0)
    assert line_of(NOW, 1) < line_of(NOW, 0) < line_of(NOW, -1)


def test_a_claim_raises_the_attempt_and_sets_the_lease() -> None:
    task = new()
    lifecycle.claim(task, 7, NOW, TTL).onto(task)
    assert (task.state, task.attempt, task.worker, task.due_at) == (State.RUNNING, 1, 7, NOW + TTL)


def test_a_failed_try_within_the_budget_waits_longer_each_time() -> None:
    task = running(retries=2)
    waits = []
    for _ in range(2):
        change = lifecycle.fail(task, BOOM, Reason.RAISED, NOW, NOW, KEEP, half)
        change.onto(task)
        assert (task.state, task.reason) == (State.SCHEDULED, Reason.RETRY)
        waits.append(task.due_at - NOW)
        lifecycle.promote(task, NOW).onto(task)
        lifecycle.claim(task, 7, NOW, TTL).onto(task)
    assert waits == [SECOND, 2 * SECOND]
    lifecycle.fail(task, BOOM, Reason.RAISED, NOW, NOW, KEEP, half).onto(task)
    assert (task.state, task.reason, task.failures) == (State.FAILED, Reason.RAISED, 3)
    assert Failure.unpack(task.outcome) == BOOM


def test_a_retry_keeps_the_attempt_it_ends() -> None:
    task = running(retries=1)
    change = lifecycle.fail(task, BOOM, Reason.RAISED, NOW + 1, NOW + 9, KEEP, half)
    assert change.past is not None
    assert (change.past.attempt, change.past.reason, change.past.ended_at) == (1, Reason.RAISED, NOW + 9)


def test_an_exception_that_is_not_to_be_retried_fails_at_once() -> None:
    task = running()
    task.spec = Spec(Lane("m"), retry=RetryPolicy(retries=5, retry_on=("ConnectionError",)))
    lifecycle.fail(task, BOOM, Reason.RAISED, NOW, NOW, KEEP, half).onto(task)
    assert task.state is State.FAILED


def test_what_waits_moves_on_to_what_it_still_has_to_wait_for() -> None:
    task = lifecycle.accept(b"t" * 16, Spec(Lane("m"), order_key="o"), NOW, run_at=NOW + 5)
    lifecycle.wait_for_parents(task)
    assert (task.state, task.reason, task.due_at) == (State.WAITING, Reason.PARENTS, NOW + 5)
    lifecycle.unblock(task, NOW, behind=True).onto(task)
    assert (task.state, task.reason, task.due_at) == (State.WAITING, Reason.ORDERED, NOW + 5)
    lifecycle.unblock(task, NOW).onto(task)
    assert (task.state, task.reason, task.due_at) == (State.SCHEDULED, Reason.DELAYED, NOW + 5)


@pytest.mark.parametrize(
    ("ended", "word"), [(State.FAILED, "failed"), (State.CANCELLED, "cancelled"), (State.EXPIRED, "expired")]
)
def test_a_task_that_fails_with_a_parent_says_which_and_how(ended: State, word: str) -> None:
    task, parent = new(unique_key="u", order_key="o"), UUID(int=7)
    lifecycle.wait_for_parents(task)
    change = lifecycle.fail_with_parent(task, parent.bytes, ended, NOW, KEEP)
    assert (change.from_state, change.unique_key, change.order_key) == (State.WAITING, "u", "o")
    change.onto(task)
    assert (task.state, task.reason, task.ended_at) == (State.FAILED, Reason.PARENT_FAILED, NOW)
    assert task.due_at == NOW + KEEP.otherwise
    failure = Failure.unpack(task.outcome)
    assert str(parent) in failure.message
    assert word in failure.message
    lifecycle.run_again(task, NOW).onto(task)
    assert task.state is State.READY


def test_a_replaced_task_is_cancelled_and_names_its_successor() -> None:
    task, by = new(unique_key="u"), UUID(int=8)
    change = lifecycle.replace(task, by.bytes, NOW, KEEP)
    assert change.ends
    change.onto(task)
    assert (task.state, task.reason, task.ended_at) == (State.CANCELLED, Reason.REPLACED, NOW)
    assert str(by) in Failure.unpack(task.outcome).message


@pytest.mark.parametrize("reason", [Reason.INVALID_PARAMS, Reason.RESULT_TOO_LARGE])
def test_what_trying_again_cannot_help_is_not_tried_again(reason: Reason) -> None:
    task = running(retries=5)
    lifecycle.fail(task, BOOM, reason, NOW, NOW, KEEP, half).onto(task)
    assert (task.state, task.reason) == (State.FAILED, reason)


def test_a_handler_may_choose_the_wait_but_not_exceed_the_budget() -> None:
    task = running(retries=1)
    lifecycle.fail(task, BOOM, Reason.RETRY_ASKED, NOW, NOW, KEEP, half, retry_after=90 * SECOND).onto(task)
    assert task.due_at == NOW + 90 * SECOND
    lifecycle.promote(task, NOW).onto(task)
    lifecycle.claim(task, 7, NOW, TTL).onto(task)
    lifecycle.fail(task, BOOM, Reason.RETRY_ASKED, NOW, NOW, KEEP, half, retry_after=1).onto(task)
    assert task.state is State.FAILED


def test_a_running_task_whose_cancel_was_asked_is_not_retried() -> None:
    task = running(retries=5)
    lifecycle.cancel(task, "enough", NOW, KEEP).onto(task)
    assert (task.state, task.reason) == (State.RUNNING, Reason.CANCEL_ASKED)
    assert lifecycle.cancel(task, "enough", NOW, KEEP) is None
    lifecycle.fail(task, BOOM, Reason.RAISED, NOW, NOW, KEEP, half).onto(task)
    assert task.state is State.CANCELLED


def test_a_started_task_of_a_lost_worker_is_rescued_twice_and_then_is_poison() -> None:
    task = running()
    for rescues in (1, 2):
        lifecycle.rescue(task, NOW + TTL, KEEP).onto(task)
        assert (task.state, task.rescues, task.failures) == (State.READY, rescues, 0)
        lifecycle.claim(task, 8, NOW, TTL).onto(task)
        lifecycle.start(task, NOW).onto(task)
    lifecycle.rescue(task, NOW + TTL, KEEP).onto(task)
    assert (task.state, task.reason) == (State.FAILED, Reason.POISONED)


def test_a_crashed_process_counts_as_a_rescue_and_the_third_is_poison() -> None:
    task = running(retries=0)
    lost = Failure(("ProcessLost",), "it was killed")
    for rescues in (1, 2):
        change = lifecycle.crash(task, lost, NOW + 1, NOW + 9, KEEP)
        assert change.past is not None
        assert (change.past.reason, change.past.started_at, change.past.ended_at) == (Reason.CRASHED, NOW + 1, NOW + 9)
        assert Failure.unpack(change.past.outcome) == lost
        change.onto(task)
        assert (task.state, task.reason, task.rescues, task.failures) == (State.READY, Reason.CRASHED, rescues, 0)
        lifecycle.claim(task, 8, NOW, TTL).onto(task)
    lifecycle.crash(task, lost, NOW + 1, NOW + 9, KEEP).onto(task)
    assert (task.state, task.reason, task.rescues, task.failures) == (State.FAILED, Reason.POISONED, 3, 0)
    assert task.started_at == NOW + 1
    poisoned = Failure.unpack(task.outcome)
    assert poisoned.types == ("ProcessLost",)
    assert poisoned.message.startswith("3 processes or workers were lost")
    assert poisoned.message.endswith("it was killed")


def test_crashes_and_lost_workers_are_counted_together() -> None:
    task = running()
    lifecycle.rescue(task, NOW + TTL, KEEP).onto(task)
    lifecycle.claim(task, 8, NOW, TTL).onto(task)
    lifecycle.crash(task, BOOM, NOW, NOW, KEEP).onto(task)
    lifecycle.claim(task, 8, NOW, TTL).onto(task)
    lifecycle.start(task, NOW).onto(task)
    lifecycle.rescue(task, NOW + TTL, KEEP).onto(task)
    assert (task.state, task.reason) == (State.FAILED, Reason.POISONED)


def test_a_crash_of_a_task_whose_cancel_was_asked_is_its_end() -> None:
    task = running()
    lifecycle.cancel(task, "enough", NOW, KEEP).onto(task)
    lifecycle.crash(task, BOOM, NOW, NOW, KEEP).onto(task)
    assert (task.state, task.reason, task.rescues) == (State.CANCELLED, Reason.CANCELLED_BY_CALLER, 0)


def test_a_crash_is_the_holders_to_report_and_needs_no_lapse() -> None:
    task = running()
    crash = lifecycle.crash(copy.copy(task), BOOM, NOW, NOW, KEEP)
    assert crash.guard(task, NOW)
    task.worker = 9
    assert not crash.guard(task, NOW)


def test_an_unstarted_task_of_a_lost_worker_costs_nothing() -> None:
    task = running(started=False)
    for _ in range(10):
        lifecycle.rescue(task, NOW + TTL, KEEP).onto(task)
        assert (task.state, task.rescues, task.failures) == (State.READY, 0, 0)
        lifecycle.claim(task, 8, NOW, TTL).onto(task)


def test_a_released_task_keeps_its_place_and_its_budget() -> None:
    task = running()
    place = task.line
    lifecycle.release(task, NOW + 5, Reason.DRAINED, KEEP).onto(task)
    assert (task.state, task.line, task.failures, task.rescues) == (State.READY, place, 0, 0)


def test_a_lease_renewed_after_it_was_read_is_not_rescued() -> None:
    task = running()
    rescue = lifecycle.rescue(copy.copy(task), NOW + TTL, KEEP)
    lifecycle.renew(task, NOW + TTL, TTL).onto(task)
    assert not rescue.guard(task, NOW + TTL + 1)


def test_an_ended_task_can_be_run_again_with_fresh_budgets() -> None:
    task = running()
    lifecycle.fail(task, BOOM, Reason.RAISED, NOW, NOW, KEEP, half).onto(task)
    lifecycle.run_again(task, NOW + 7).onto(task)
    assert (task.state, task.failures, task.rescues, task.attempt, task.outcome) == (State.READY, 0, 0, 1, None)


def test_an_expired_task_that_is_run_again_does_not_expire_again() -> None:
    task = lifecycle.accept(b"t" * 16, Spec(Lane("m")), NOW, expire_at=NOW + 5)
    lifecycle.expire(task, NOW + 5, KEEP).onto(task)
    lifecycle.run_again(task, NOW + 9).onto(task)
    assert (task.state, task.expire_at) == (State.READY, None)


def test_the_task_says_how_long_it_is_kept_else_the_node_does() -> None:
    kept = running()
    assert lifecycle.succeed(kept, b"1", None, NOW, KEEP).due_at == NOW + KEEP.succeeded
    kept.spec = Spec(Lane("m"), result_ttl=5)
    assert lifecycle.succeed(kept, b"1", None, NOW, KEEP).due_at == NOW + 5


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_only_a_holder_reports(state: State) -> None:
    task = new()
    task.state = state
    with pytest.raises(Conflict):
        lifecycle.succeed(task, b"1", None, NOW, KEEP)
    with pytest.raises(Conflict):
        lifecycle.start(task, NOW)


def test_an_ended_task_is_not_cancelled_and_an_unended_one_not_run_again() -> None:
    task = running()
    with pytest.raises(Conflict):
        lifecycle.run_again(task, NOW)
    lifecycle.succeed(task, b"1", None, NOW, KEEP).onto(task)
    with pytest.raises(Conflict, match="already succeeded"):
        lifecycle.cancel(task, "", NOW, KEEP)


@given(
    failures=st.integers(1, 2000),
    delay=st.integers(0, 10**9),
    backoff=st.floats(1.0, 100.0),
    limit=st.integers(0, 10**12),
    jitter=st.floats(0.0, 1.0),
    chance=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_wait_is_never_negative_nor_over_its_limit(
    failures: int, delay: int, backoff: float, limit: int, jitter: float, chance: float
) -> None:
    policy = RetryPolicy(9, delay, backoff, limit, jitter)
    assert 0 <= policy.wait(failures, lambda: chance) <= limit


@pytest.mark.parametrize(
    ("on", "never", "raised", "again"),
    [
        ((), (), ("ValueError",), True),
        (("ValueError",), (), ("ValueError",), True),
        (("OSError",), (), ("ConnectionError", "OSError"), True),
        (("KeyError",), (), ("ValueError",), False),
        ((), ("ValueError",), ("ValueError",), False),
        (("OSError",), ("TimeoutError",), ("TimeoutError", "OSError"), False),
        (("requests.exceptions.Timeout",), (), ("requests.exceptions.Timeout",), True),
        (("Timeout",), (), ("requests.exceptions.Timeout",), True),
    ],
)
def test_exceptions_are_matched_by_class_and_base(
    on: tuple[str, ...], never: tuple[str, ...], raised: tuple[str, ...], again: bool
) -> None:
    assert RetryPolicy(retries=1, retry_on=on, give_up_on=never).allows(1, raised) is again


class Life(RuleBasedStateMachine):
    """A record that goes through any sequence of transitions that its state allows, and stale changes beside them."""

    @initialize(retries=st.integers(0, 3))
    def begin(self, retries: int) -> None:
        self.now = NOW
        self.task = new(retries)
        self.retries = retries
        self.stale: list[Change] = []
        self.highest = 0
        self.chance = random.Random(1).random

    def put(self, change: Change | None) -> None:
        if change is None:
            return
        assert change.guard(self.task, self.now)
        attempt = self.task.attempt
        change.onto(self.task)
        assert self.task.attempt >= attempt
        self.stale.append(change)

    @precondition(lambda self: self.task.state is State.READY)
    @rule(worker=st.integers(1, 3))
    def claim(self, worker: int) -> None:
        self.put(lifecycle.claim(self.task, worker, self.now, TTL))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def start(self) -> None:
        self.put(lifecycle.start(self.task, self.now))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def renew(self) -> None:
        self.put(lifecycle.renew(self.task, self.now, TTL))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def succeed(self) -> None:
        self.put(lifecycle.succeed(self.task, b"1", None, self.now, KEEP))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule(reason=st.sampled_from([Reason.RAISED, Reason.TIMED_OUT, Reason.RETRY_ASKED]))
    def fail(self, reason: Reason) -> None:
        self.put(lifecycle.fail(self.task, BOOM, reason, None, self.now, KEEP, self.chance))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def release(self) -> None:
        self.put(lifecycle.release(self.task, self.now, Reason.RECALLED, KEEP))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def lapse_and_rescue(self) -> None:
        self.now = max(self.now, self.task.due_at)
        self.put(lifecycle.rescue(self.task, self.now, KEEP))

    @precondition(lambda self: self.task.state is State.RUNNING)
    @rule()
    def crash(self) -> None:
        self.put(lifecycle.crash(self.task, BOOM, None, self.now, KEEP))

    @precondition(lambda self: self.task.state is State.SCHEDULED)
    @rule()
    def promote(self) -> None:
        self.now = max(self.now, self.task.due_at)
        self.put(lifecycle.promote(self.task, self.now))

    @precondition(lambda self: not self.task.state.ended)
    @rule()
    def cancel(self) -> None:
        self.put(lifecycle.cancel(self.task, "", self.now, KEEP))

    @precondition(lambda self: self.task.state.ended)
    @rule()
    def run_again(self) -> None:
        self.put(lifecycle.run_again(self.task, self.now))

    @rule(seconds=st.integers(1, 100))
    def tick(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @invariant()
    def budgets_hold(self) -> None:
        if not hasattr(self, "task"):
            return
        assert self.task.failures <= self.retries + 1
        assert self.task.rescues <= lifecycle.MAX_RESCUES
        assert self.task.attempt >= self.highest
        self.highest = self.task.attempt

    @invariant()
    def an_ended_task_says_when_and_until_when(self) -> None:
        if hasattr(self, "task") and self.task.state.ended:
            assert self.task.ended_at is not None
            assert self.task.due_at is not None

    @invariant()
    def only_a_running_task_is_leased(self) -> None:
        if hasattr(self, "task") and self.task.state is State.RUNNING:
            assert self.task.worker is not None
            assert self.task.due_at is not None

    @invariant()
    def changes_of_past_attempts_never_land(self) -> None:
        for change in getattr(self, "stale", [])[-8:]:
            made_for = getattr(change, "attempt", 0)
            if made_for < self.task.attempt:
                assert not change.guard(self.task, self.now)


TestLife = Life.TestCase
