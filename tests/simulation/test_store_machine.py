"""Random lives of tasks, with stale looks, ticks and crashes, on every driver against one small model."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_model import Model

from rota.contract.store import Entry, Query, Store
from rota.life.clock import ManualClock
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.control import Control, Scope
from rota.model.errors import Conflict
from rota.model.failure import Failure
from rota.model.retry import NO_RETRY, SECOND, RetryPolicy
from rota.model.task import Lane, Reason, Spec, State, Task
from rota.storage.memory import MemoryStore
from rota.storage.sqlite import SqliteStore

T = TypeVar("T")

TTL = 10 * SECOND
KEEP = lifecycle.Retention(succeeded=20 * SECOND, otherwise=40 * SECOND)
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
WORKERS = st.sampled_from([1, 2])

ENTRIES = st.fixed_dictionaries(
    {
        "again": st.none() | st.integers(0, 20),
        "params": st.sampled_from([b"1", b"1", b"1", b"2" * 9_000]),
        "unique_key": st.sampled_from([None, None, "u", "v"]),
        "order_key": st.sampled_from([None, None, "o", "p"]),
        "idempotency_key": st.sampled_from([None, None, None, "i", "j"]),
        "fingerprint": st.sampled_from([b"a", b"a", b"b"]),
        "delay": st.sampled_from([0, 0, 5]),
        "expires": st.sampled_from([None, 8]),
        "retries": st.sampled_from([0, 2]),
        "priority": st.integers(-1, 1),
        "leased": st.booleans(),
        "unique_mode": st.sampled_from(["return", "return", "reject", "replace", "replace"]),
        "after": st.sampled_from([(), (), (), (0,), (1,), (2,), (0, 1), (1, 3), (-1,), (-2,), (-1, 0), (9,)]),
        "run_anyway": st.booleans(),
        "batch": st.sampled_from([None, None, "b"]),
        "labels": st.sampled_from([(), (), (("k", "1"),), (("k", "2"), ("l", "1"))]),
    }
)
ACTIONS = st.sampled_from(
    [
        "claim",
        "claim",
        "start",
        "renew",
        "succeed",
        "fail",
        "stop",
        "cancel",
        "release",
        "rescue",
        "crash",
        "promote",
        "expire",
        "again",
    ]
)


class StoreMachine(RuleBasedStateMachine):
    """Looks that were made long ago stay in `seen`, and changes are made from any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock, self.model = ManualClock(), Model(keep=KEEP)
        self.folder = Path(tempfile.mkdtemp(dir=FAST))
        self.seen: list[Task] = []
        self.known: list[bytes] = []
        self.made = 0
        self.store = self.make()
        self.wait(self.store.open())

    def make(self) -> Store:
        raise NotImplementedError

    def wait(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(verb)

    @rule(asked=st.lists(ENTRIES, min_size=1, max_size=4), atomic=st.booleans())
    def submit(self, asked: list[dict[str, Any]], atomic: bool) -> None:
        entries: list[Entry] = []
        for one in asked:
            entries.append(self._entry(entries, **one))
        expected = self.model.submit(entries, atomic, self.clock.now())
        receipts = self.wait(self.store.submit(entries, atomic=atomic))
        said = [(r.task_id, r.refusal.code if r.refusal else "duplicate" if r.duplicate else "new") for r in receipts]
        assert said == expected
        new = [entry for entry, (_, word) in zip(entries, expected, strict=True) if word == "new"]
        for entry in new:
            self.model.tasks[entry.task.id].seq = entry.task.seq
            self.known.append(entry.task.id)
        moved = self.model.replace(self.clock.now()) - {entry.task.id for entry in new}
        assert [entry.task for entry in new] == [self.model.tasks[entry.task.id] for entry in new]
        replaced = {r.task_id: r.replaced for r in receipts if r.replaced is not None}
        assert replaced == {by: self.model.tasks[old] for by, old in self.model.replaced.items()}
        assert {task.id: task for r in receipts for task in r.unblocked} == {i: self.model.tasks[i] for i in moved}
        self._look()

    def _entry(
        self,
        earlier: list[Entry],
        again: int | None,
        delay: int,
        expires: int | None,
        retries: int,
        leased: bool,
        after: tuple[int, ...],
        **asked: Any,
    ) -> Entry:
        """`after`: from -1 down places of the batch, from its end; from 0 up the newest tasks of all."""
        now = self.clock.now()
        repeated = again is not None and again < len(self.known)
        key, fingerprint = asked.pop("idempotency_key"), asked.pop("fingerprint")
        retry = RetryPolicy(retries, SECOND, jitter=0.0) if retries else NO_RETRY
        lane = Lane("m", asked["unique_key"], key=asked["order_key"])
        choice = [*(entry.task.id for entry in earlier), *reversed(self.known)]
        place = len(earlier)
        parents = dict.fromkeys(choice[place + n] for n in after if 0 <= place + n < len(choice))
        spec = Spec(lane, retry=retry, created_at=now, after=tuple(parents), **asked)
        expire_at = now + expires * SECOND if expires else None
        run_at = now + delay * SECOND if delay else None
        self.made += 1
        task_id = self.known[again] if repeated and again is not None else self.made.to_bytes(16)
        task = lifecycle.accept(task_id, spec, now, run_at, expire_at)
        if leased and task.state is State.READY:
            lifecycle.claim(task, 1, now, TTL).onto(task)
        return Entry(task, key, fingerprint)

    @precondition(lambda self: self.seen)
    @rule(picks=st.lists(st.tuples(st.integers(0), ACTIONS, WORKERS), min_size=1, max_size=5))
    def apply(self, picks: list[tuple[int, str, int]]) -> None:
        batch: dict[int, tuple[Task, Change]] = {}
        for place, action, worker in picks:
            # A late look more often than an early one: the newest are at the end.
            seen = self.seen[-1 - place % len(self.seen)]
            change = self._change(seen, action, worker)
            if change is not None:
                batch.setdefault(seen.seq, (seen, change))
        pairs = list(batch.values())
        accepted, unblocked = self.model.apply(pairs, self.clock.now())
        applied = self.wait(self.store.apply([change for _, change in pairs]))
        assert applied.accepted == accepted
        assert {task.id: task for task in applied.unblocked} == {i: self.model.tasks[i] for i in unblocked}
        self._look()

    @precondition(lambda self: any(t.state is State.READY for t in self.model.tasks.values()))
    @rule(place=st.integers(0), outcome=st.sampled_from(["succeed", "succeed", "fail"]))
    def run(self, place: int, outcome: str) -> None:
        """A ready task runs, so that those who wait for one get on."""
        ready = [task for task in self.model.tasks.values() if task.state is State.READY]
        task = ready[place % len(ready)]
        for action in ("claim", outcome):
            self._apply_one(copy(task), action)

    def _apply_one(self, seen: Task, action: str) -> None:
        change = self._change(seen, action, 1)
        assert change is not None
        accepted, unblocked = self.model.apply([(seen, change)], self.clock.now())
        applied = self.wait(self.store.apply([change]))
        assert applied.accepted == accepted == {seen.seq}
        assert {task.id: task for task in applied.unblocked} == {i: self.model.tasks[i] for i in unblocked}

    def _change(self, seen: Task, action: str, worker: int) -> Change | None:
        now = self.clock.now()
        try:
            match action:
                case "claim":
                    return lifecycle.claim(seen, worker, now, TTL)
                case "start":
                    return lifecycle.start(seen, now)
                case "renew":
                    return lifecycle.renew(seen, now, TTL)
                case "succeed":
                    return lifecycle.succeed(seen, b"r" * 10_000, None, now, KEEP)
                case "fail":
                    return lifecycle.fail(seen, Failure(("E",)), Reason.RAISED, None, now, KEEP, lambda: 0.0)
                case "stop":
                    return lifecycle.stop(seen, Reason.CANCELLED_BY_HANDLER, "", None, now, KEEP)
                case "cancel":
                    return lifecycle.cancel(seen, "", now, KEEP)
                case "release":
                    return lifecycle.release(seen, now, Reason.DRAINED, KEEP)
                case "rescue":
                    return lifecycle.rescue(seen, now, KEEP)
                case "crash":
                    return lifecycle.crash(seen, Failure(("E",), "c" * 5_000), None, now, KEEP)
                case "again":
                    return lifecycle.run_again(seen, now)
        except Conflict:
            return None
        return self._caretakers(seen, action, now)

    def _caretakers(self, seen: Task, action: str, now: int) -> Change | None:
        """What the engine does only to tasks in the fitting state."""
        if action == "promote" and seen.state is State.SCHEDULED:
            return lifecycle.promote(seen, now)
        if action == "expire" and seen.state <= State.READY:
            return lifecycle.expire(seen, now, KEEP)
        return None

    @rule(group=st.sampled_from([None, None, "u"]), limit=st.sampled_from([None, 1, 2, 3, 5]))
    def limit_the_depth(self, group: str | None, limit: int | None) -> None:
        self.wait(self.store.set_control(Control(Scope.GROUP, group or "", max_queued=limit)))
        if limit is None:
            self.model.depths.pop(group, None)
        else:
            self.model.depths[group] = limit

    @rule(seconds=st.sampled_from([0.5, 3, 11, 50]))
    def tick(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(limit=st.integers(1, 4), keep_ended=st.none() | st.integers(0, 2))
    def purge(self, limit: int, keep_ended: int | None) -> None:
        expected = self.model.purge(limit, keep_ended, self.clock.now())
        assert self.wait(self.store.purge(limit, keep_ended)) == expected

    @precondition(lambda self: self.known)
    @rule(places=st.lists(st.integers(0), min_size=1, max_size=4))
    def remove(self, places: list[int]) -> None:
        ids = [self.known[place % len(self.known)] for place in places]
        assert self.wait(self.store.remove(ids)) == self.model.remove(ids)

    def _look(self) -> None:
        self.seen += [copy(task) for task in self.model.tasks.values()]
        del self.seen[:-60]

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        tasks = self.model.tasks
        assert self.wait(self.store.get(self.known)) == tasks
        counts = self.wait(self.store.counts())
        assert dict(counts) == {state: sum(t.state is state for t in tasks.values()) for state in State}
        assert self.store.unended == sum(not task.state.ended for task in tasks.values())
        assert self.wait(self.store.next_due()) == _next_due(list(tasks.values()))
        ready = {task.spec.lane for task in tasks.values() if task.state is State.READY}
        assert set(self.wait(self.store.ready_lanes())) == ready
        for lane in ready:
            line = [t for t in tasks.values() if t.state is State.READY and t.spec.lane == lane]
            assert self.wait(self.store.line(lane, None, 100, 10**6)) == sorted(line, key=lambda t: (t.line, t.seq))

    @invariant()
    def says_who_waits_for_whom(self) -> None:
        tasks = self.model.tasks
        children = [tasks[child].seq for child in self.model.waits]
        said = self.wait(self._all(self.store.parents(child) for child in children))
        for found, parents in zip(said, self.model.waits.values(), strict=True):
            expected = sorted((tasks[parent] for parent in parents), key=_seq)
            assert found == [(task.id, task.state) for task in expected]
        for key, found in zip("op", self.wait(self._all(self.store.key_holders(key) for key in "op")), strict=True):
            line = sorted((t for t in tasks.values() if not t.state.ended and t.spec.order_key == key), key=_seq)
            head = self.model.heads.get(key)
            assert found == [t.id for t in line if t.id == head] + [t.id for t in line if t.id != head]

    @invariant()
    def finds_what_there_is(self) -> None:
        newest = sorted(self.model.tasks.values(), key=_seq, reverse=True)
        asked: dict[Query, Callable[[Task], bool]] = {
            Query(batch="b"): lambda task: task.spec.batch == "b",
            Query(label=("k", "1")): lambda task: ("k", "1") in task.spec.labels,
            Query(label=("l", "")): lambda task: "l" in dict(task.spec.labels),
            Query(text="U"): lambda task: task.spec.unique_key == "u",
        }
        said = self.wait(self._all(self.store.find(query, None, 1_000) for query in asked))
        assert said == [[task for task in newest if wanted(task)] for wanted in asked.values()]
        groups: dict[str, dict[str, Counter[State]]] = {}
        for task in newest:
            if not task.state.ended:
                lane = task.spec.lane
                groups.setdefault(lane.group or "", {}).setdefault(lane.method, Counter())[task.state] += 1
        assert self.wait(self.store.group_counts()) == groups

    async def _all(self, verbs: Iterable[Awaitable[T]]) -> list[T]:
        return await asyncio.gather(*verbs)

    def teardown(self) -> None:
        self.wait(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


def _seq(task: Task) -> int:
    return task.seq


def _next_due(tasks: list[Task]) -> int | None:
    due = [t.due_at for t in tasks if t.state in (State.SCHEDULED, State.RUNNING)]
    return min((at for at in due + [t.expire_at for t in tasks if t.state <= State.READY] if at), default=None)


class MemoryMachine(StoreMachine):
    def make(self) -> Store:
        return MemoryStore(self.clock, KEEP)


class SqliteMachine(StoreMachine):
    lives = 0

    def make(self) -> Store:
        return SqliteStore(self.folder / str(self.lives) / "rota.db", clock=self.clock, keep=KEEP)

    @rule()
    def crash_and_reopen(self) -> None:
        """What a kill leaves on the disk, in another folder: the log is copied as it is, without a checkpoint."""
        killed, old = self.store, self.folder / str(self.lives)
        self.lives += 1
        new = self.folder / str(self.lives)
        new.mkdir()
        for name in ("rota.db-wal", "rota.db"):
            if (old / name).exists():
                shutil.copy(old / name, new / name)
        self.wait(killed.close())
        self.store = self.make()
        self.wait(self.store.open())


NUMBER = int(os.environ.get("ROTA_EXAMPLES", "300"))
EXAMPLES = settings(
    max_examples=NUMBER,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(120 + NUMBER / 2)
TestMemoryStore = MemoryMachine.TestCase
TestMemoryStore.settings = EXAMPLES
TestSqliteStore = SqliteMachine.TestCase
TestSqliteStore.settings = EXAMPLES
