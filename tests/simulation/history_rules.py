"""What must be true at every write that an engine makes, told by the store in memory as it stands right after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rota.contract.store import Applied, Receipt
from rota.model.change import Change, Claim, Move
from rota.model.control import Control, Rate, Scope
from rota.model.task import Lane, Reason, State, Task
from rota.storage.memory import MemoryStore
from rota.storage.records import copied

_GIVEN_BACK = (Reason.GIVEN_BACK, Reason.RECALLED, Reason.DRAINED)


class Rules:
    """Attempts that were granted by a write whose answer was lost are not held against the engine: it cannot know them."""

    def __init__(self, truth: MemoryStore) -> None:
        self._truth = truth
        self.controls: dict[tuple[Scope, str], Control] = {}
        self._levels: dict[tuple[Scope, str, str | None], _Level] = {}
        self._excused: set[tuple[int, int]] = set()
        self._most: dict[tuple[Scope, str], int] = {}
        self.unsettled: set[tuple[Scope, str]] = set()
        """Scopes whose setting is being changed: nobody can say by which one a start was chosen."""
        self._revived: set[int] = set()
        self._succeeded: set[bytes] = set()
        self._has_ended: set[bytes] = set()
        self._dispossessed: set[bytes] = set()
        self.ends: Counter[bytes] = Counter()
        self.revivals: Counter[bytes] = Counter()

    def task(self, seq: int) -> Task | None:
        known = self._truth._tasks.get(seq)
        return copied(known) if known is not None else None

    def tasks_by_id(self, task_id: bytes) -> Task | None:
        seq = self._truth._ids.get(task_id)
        return self._truth._tasks[seq] if seq is not None else None

    def tasks(self) -> Iterator[Task]:
        yield from self._truth._tasks.values()

    # --- what is told

    def set(self, control: Control) -> None:
        """It holds from now on; what runs more than it allows may end in peace."""
        place = (control.scope, control.name)
        before = self.controls.get(place, Control(*place))
        for keyed, rate, old in ((False, control.rate, before.rate), (True, control.key_rate, before.key_rate)):
            if rate != old:
                self._forget_levels(place, keyed=keyed)
        self.controls[place] = control
        self._most.pop(place, None)

    def unsettle(self, scope: Scope, name: str) -> None:
        """Its setting is about to be changed; `set` follows when all is at rest."""
        self.unsettled.add((scope, name))

    def node_began(self) -> None:
        """Rates are kept in memory: another node begins with full ones."""
        self._levels.clear()

    def submitted(self, tasks: Sequence[Task], receipts: Sequence[Receipt], *, unknown: bool) -> None:
        new = [task.id for task, r in zip(tasks, receipts, strict=True) if not r.duplicate and r.refusal is None]
        changed = [task for receipt in receipts for task in (receipt.replaced, *receipt.unblocked) if task is not None]
        stirred = {task.id: task for task in [*changed, *map(self._by_id, new)]}
        for task in stirred.values():
            self._note_end(task)
        leased: list[Task] = []
        for task in map(self._by_id, new):
            if task.state is State.RUNNING:
                leased.append(task)
            if task.spec.unique_key is not None and task.spec.unique_mode == "replace":
                self._dispossess(task)
        self._started(leased, unknown)
        self._look_at_unique_keys()

    def applied(self, changes: Sequence[Change], before: Mapping[int, Task], said: Applied, *, unknown: bool) -> None:
        leased: list[Task] = []
        for change in changes:
            if change.seq not in said.accepted:
                continue
            task = self._truth._tasks[change.seq]
            if isinstance(change, Claim):
                leased.append(task)
            elif isinstance(change, Move) and change.revives:
                self._revived.add(task.seq)
                self.revivals[task.id] += 1
                self._dispossessed.discard(task.id)
            elif isinstance(change, Move) and change.from_state is State.RUNNING:
                self._note_return(before[change.seq], change)
            if before[change.seq].state is not task.state:
                self._note_end(task)
        for task in said.unblocked:
            self._note_end(task)
        self._started(leased, unknown)
        self._look_at_unique_keys()

    # --- what must hold

    def _started(self, leased: Sequence[Task], unknown: bool) -> None:
        """In the order of the lines, as they were chosen."""
        fresh = {task.seq for task in leased}
        for task in leased:
            if unknown:
                self._excused.add((task.seq, task.attempt))
            self._look_at_parents(task)
            self._look_at_order(task)
        if unknown:
            return
        running = [task for task in self._running() if task.seq not in fresh]
        for task in leased:
            self._look_at_key(task, running)
            running.append(task)
            self._spend(task)

    def _look_at_parents(self, task: Task) -> None:
        if task.seq in self._revived:
            return  # who runs a task again by hand wants it to run
        for parent in task.spec.after:
            if parent in self._truth._ids or parent in self._has_ended:
                assert parent in self._has_ended, "a child started before its parent had ended"
                assert task.spec.run_anyway or parent in self._succeeded, "a child ran after a parent that had failed"

    def _look_at_order(self, task: Task) -> None:
        key = task.spec.order_key
        if key is None:
            return
        for other in self.tasks():
            if other.spec.order_key == key and other is not task and not other.state.ended:
                assert other.state is not State.RUNNING, "two tasks of an order key at once"
                earlier = other.seq < task.seq and not {other.seq, task.seq} & self._revived
                assert not earlier, "a task of an order key overtook another"

    def _look_at_key(self, task: Task, running: Sequence[Task]) -> None:
        """Writes may land in another order than they were chosen in, so the widest limit among them counts."""
        key = task.spec.lane.key
        if key is not None:
            held = [other for other in running if other.spec.lane.key == key]
            most = max(other.spec.concurrency_limit for other in [task, *held])
            assert len(held) < most, f"{[other.seq for other in held]} hold the key of {task.seq} already"

    def _look_at_unique_keys(self) -> None:
        held: Counter[str] = Counter()
        for task in self.tasks():
            if not task.state.ended and task.spec.unique_key is not None and task.id not in self._dispossessed:
                held[task.spec.unique_key] += 1
        assert not held or max(held.values()) <= 1, f"two unended tasks hold a unique key: {held}"

    def look_at_rest(self) -> None:
        """When nothing is under way: no scope runs more than it may, but for what was found running when that was set."""
        for place, control in self.controls.items():
            if control.concurrency is None:
                continue
            running = sum(governs(control, task.spec.lane) for task in self._running())
            most = self._most[place] = max(control.concurrency, min(running, self._most.get(place, running)))
            assert running <= most, f"{running} tasks run under {control}"

    # --- rates

    def _spend(self, task: Task, count: int = 1) -> None:
        lane = task.spec.lane
        for place, control in self.controls.items():
            if place in self.unsettled or not governs(control, lane):
                continue
            now = self._truth.now()
            if control.rate is not None:
                self._levels.setdefault((*place, None), _Level(control.rate, now)).take(count, now)
            if control.key_rate is not None and lane.key is not None:
                self._levels.setdefault((*place, lane.key), _Level(control.key_rate, now)).take(count, now)

    def _note_return(self, before: Task, change: Move) -> None:
        """A start that was none is given back to the rate."""
        if (before.seq, before.attempt) in self._excused:
            return
        if change.state is State.READY and change.reason in _GIVEN_BACK and change.past is None:
            self._spend(before, -1)

    def _forget_levels(self, place: tuple[Scope, str], *, keyed: bool) -> None:
        for scope, name, key in list(self._levels):
            if (scope, name) == place and (key is not None) is keyed:
                del self._levels[scope, name, key]

    # --- facts

    def _running(self) -> list[Task]:
        return [t for t in self.tasks() if t.state is State.RUNNING and (t.seq, t.attempt) not in self._excused]

    def _note_end(self, task: Task) -> None:
        if task.state.ended:
            self.ends[task.id] += 1
            self._has_ended.add(task.id)
            if task.state is State.SUCCEEDED:
                self._succeeded.add(task.id)

    def _dispossess(self, new: Task) -> None:
        holder = self._truth._ties.unique.get(new.spec.unique_key or "")
        for task in self.tasks():
            if task.spec.unique_key == new.spec.unique_key and task.seq != holder and not task.state.ended:
                self._dispossessed.add(task.id)

    def _by_id(self, task_id: bytes) -> Task:
        return self._truth._tasks[self._truth._ids[task_id]]


class _Level:
    """What may start by a rate. A start that came to nothing is given back whole, though time may have made up for it."""

    def __init__(self, rate: Rate, now: int) -> None:
        self._rate, self._at = rate, now
        self._full = rate.count * rate.period
        self._level = self._full
        self._returned = 0

    def take(self, count: int, now: int) -> None:
        self._level = min(self._full, self._level + (now - self._at) * self._rate.count)
        self._at = now
        self._level = min(self._full, self._level - count * self._rate.period)
        self._returned += max(0, -count) * self._rate.period
        assert self._level + self._returned >= 0, f"more starts than {self._rate} allows"


def governs(control: Control, lane: Lane) -> bool:
    if control.scope is Scope.GROUP:
        return (lane.group or "") == control.name
    return control.scope is Scope.NODE or lane.method == control.name
