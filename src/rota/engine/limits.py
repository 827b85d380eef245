"""What holds tasks back though they are ready: pause, limits of concurrency, limits of rate.

Lanes under the same gates share a rule, and stand in fronts of their own: a rule without room is shut, one look for all the
lanes behind it, and not looked at again until it may have room. A lane whose concurrency key is taken is parked likewise
until the key has room or its time has come. Nothing here waits or asks the store; who is leased is counted from the choice until the record has left `running`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence

from rota.engine.gate import Gate, Rule
from rota.engine.ledger import Ledger
from rota.model.control import Control, Scope
from rota.model.task import Lane, Task

Place = tuple[int, int]
_MOST_REMEMBERED = 10_000
_tie = itertools.count()


class Limits:
    """One per engine. `now` is the store's; `wake` is told the instant at which something may start that may not now."""

    def __init__(self, now: Callable[[], int], wake: Callable[[int], None]) -> None:
        self._now = now
        self._wake = wake
        self._gates: dict[tuple[Scope, str], Gate] = {}
        self._rules: dict[tuple[str | None, str], Rule | None] = {}
        self._by_gates: dict[tuple[Gate, ...], Rule] = {}
        self._keys: dict[str, set[bytes]] = {}
        """Ids of the leased tasks of each concurrency key."""
        self._parked: dict[Lane, Place | None] = {}
        """Lanes that wait for their key, with the head they were looked at with."""
        self._waiting: dict[str, set[Lane]] = {}
        """The same by key."""
        self._timed: list[tuple[int, int, Lane | Rule]] = []
        """Parked lanes, and shut rules, that time alone sets free, the next one first."""
        self._freed: set[Lane] = set()
        self._opened: set[Rule] = set()
        self._ledger = Ledger()
        self._learners: tuple[Gate, ...] = ()
        """Those that were there when learning began: what is told counts for all of their tasks."""
        self.version = 0
        """Another number whenever a lane may be under another rule."""

    # --- what is set

    @property
    def active(self) -> bool:
        """Something is set for some scope."""
        return bool(self._gates)

    def controls(self) -> list[Control]:
        return [gate.control for gate in self._gates.values()]

    def control(self, scope: Scope, name: str) -> Control | None:
        gate = self._gates.get((scope, name))
        return gate.control if gate is not None else None

    def gate(self, scope: Scope, name: str) -> Gate | None:
        return self._gates.get((scope, name))

    def put(self, control: Control, *, known: bool = False) -> bool:
        """Puts what is set for a scope in the place of what was.

        True where its leased tasks must be learned first; until `learned` nothing of the scope starts. With `known` the
        caller is about to tell of all of them.
        """
        place = (control.scope, control.name)
        gate = self._gates.get(place)
        counted = gate is not None and gate.control.concurrency is not None
        if control.sets_nothing:
            self._gates.pop(place, None)
        elif gate is None:
            self._gates[place] = gate = Gate(control, self._now())
        else:
            gate.renew(control, self._now())
        fresh = gate is not None and control.concurrency is not None and not counted
        if fresh and gate is not None:
            gate.holders.update(task_id for task_id, lane in self._ledger.lanes() if gate.governs(lane))
            gate.learning = not known
            self._learners = tuple(learner for learner in self._learners if learner is not gate)
        self._form_anew()
        return fresh and not known

    def _form_anew(self) -> None:
        self._rules.clear()
        self._by_gates.clear()
        self._parked.clear()
        self._waiting.clear()
        self._timed.clear()
        self._freed.clear()
        self._opened.clear()
        for gate in self._gates.values():
            gate.waiting.clear()
        self.version += 1

    # --- what dispatch asks

    def rule(self, lane: Lane) -> Rule | None:
        """What the lane is under; none where nothing is set for it. Lanes under the same gates have the same rule."""
        if not self._gates:
            return None
        place = (lane.group, lane.method)
        if place in self._rules:
            return self._rules[place]
        scopes = ((Scope.NODE, ""), (Scope.GROUP, lane.group or ""), (Scope.METHOD, lane.method))
        gates = tuple(gate for scope in scopes if (gate := self._holding(scope)) is not None)
        rule = (self._by_gates.get(gates) or Rule(gates)) if gates else None
        if rule is not None:
            self._by_gates[gates] = rule
        if len(self._rules) >= _MOST_REMEMBERED:
            self._rules.clear()
        self._rules[place] = rule
        return rule

    def _holding(self, scope: tuple[Scope, str]) -> Gate | None:
        gate = self._gates.get(scope)
        return gate if gate is not None and gate.control.holds_back else None

    def shut(self, rule: Rule) -> None:
        """The rule has no room: it is told by `opened` when that may have changed."""
        now = self._now()
        if (gate := next((gate for gate in rule.gates if not gate.room(now)), None)) is None:
            self._opened.add(rule)
            return
        gate.waiting.add(rule)
        if (instant := gate.next_at(now)) is not None:
            heapq.heappush(self._timed, (instant, next(_tie), rule))
            self._wake(instant)

    def opened(self) -> Iterable[Rule]:
        """The rules that may have room since this was last asked, each once. To be asked after `freed`."""
        if not self._opened:
            return ()
        opened, self._opened = self._opened, set()
        return opened

    def key_room(self, rule: Rule | None, key: str, limit: int) -> int:
        """How many tasks of a concurrency key may start now, where the first of them allows `limit` at once."""
        room = limit - len(self._keys.get(key, ()))
        if room > 0 and rule is not None and rule.keyed:
            now = self._now()
            room = min(room, *(bucket.room(now) for bucket in rule.key_buckets(key, now)))
        return max(0, room)

    def fitting(self, tasks: Sequence[Task]) -> int:
        """How many of these, of one keyed lane and in order, may start by what each of them says itself."""
        key = tasks[0].spec.lane.key if tasks else None
        held = len(self._keys.get(key, ())) if key is not None else 0
        for place, task in enumerate(tasks):
            if held + place >= task.spec.concurrency_limit:
                return place
        return len(tasks)

    def park(self, rule: Rule | None, lane: Lane, head: Task) -> None:
        """The lane's key has no room: it is not looked at again until it has."""
        key = lane.key or ""
        self._parked[lane] = (head.line, head.seq)
        self._waiting.setdefault(key, set()).add(lane)
        if rule is None or not rule.keyed or len(self._keys.get(key, ())) >= head.spec.concurrency_limit:
            return
        now = self._now()
        instant = max(bucket.next_at(now) for bucket in rule.key_buckets(key, now))
        heapq.heappush(self._timed, (instant, next(_tie), lane))
        self._wake(instant)

    def is_parked(self, lane: Lane, head: Place | None) -> bool:
        """It waits for its key, and has the same head still. One with another head is set free, for another look."""
        if lane not in self._parked:
            return False
        if self._parked[lane] == head:
            return True
        self._set_free(lane)
        return False

    def waited_for(self, key: str) -> bool:
        """Some lane is parked until the key has room."""
        return key in self._waiting

    def freed(self) -> Iterable[Lane]:
        """The lanes that were set free since this was last asked, each once."""
        if self._timed:
            now = self._now()
            while self._timed and self._timed[0][0] <= now:
                waited = heapq.heappop(self._timed)[2]
                if isinstance(waited, Rule):
                    self._opened.add(waited)
                else:
                    self._set_free(waited)
            if self._timed:
                self._wake(self._timed[0][0])
        if not self._freed:
            return ()
        freed, self._freed = self._freed, set()
        return freed

    def _set_free(self, lane: Lane) -> None:
        if lane not in self._parked:
            return
        del self._parked[lane]
        self._freed.add(lane)
        key = lane.key or ""
        waiting = self._waiting[key]
        waiting.discard(lane)
        if not waiting:
            del self._waiting[key]

    # --- who is leased

    @property
    def counting(self) -> bool:
        """Somebody is counted, or is about to be: changes must be told."""
        return self._ledger.counting

    def counts(self, task: Task) -> bool:
        """Somebody may wait for this one to leave."""
        return task.id in self._ledger

    def enter(self, rule: Rule | None, tasks: Sequence[Task]) -> None:
        """These were chosen, of one lane; they are leased unless `refused` says otherwise."""
        if not tasks:
            return
        lane = tasks[0].spec.lane
        if rule is not None:
            rule.spend(lane.key, len(tasks), self._now())
        if lane.key is None and (rule is None or not rule.counts):
            return
        for task in tasks:
            if self._ledger.enter(task):
                self._count(task.id, lane)

    def granted(self, tasks: Sequence[Task]) -> None:
        """The store granted the claims of these: whatever was held of an earlier attempt is no more.

        Those that were chosen before a limit was set for them are counted from now on.
        """
        for task in tasks:
            self._ledger.granted(task)
        self.learn(tasks)

    def refused(self, tasks: Iterable[Task]) -> None:
        """The claims of these came to nothing. What is counted of another lease of the same task stays."""
        for task in tasks:
            self.unspent(task.spec.lane)
            if self._ledger.void(task):
                self._discount(task.id, task.spec.lane)

    def left(self, task: Task, attempt: int) -> None:
        """The attempt runs no longer, by the store's word. Said twice, or of an older attempt, it does nothing."""
        if self._ledger.left(task.id, attempt):
            self._discount(task.id, task.spec.lane)

    def unspent(self, lane: Lane) -> None:
        """A task of the lane did not start after all: another may, without waiting for a rate."""
        if (rule := self.rule(lane)) is not None:
            rule.spend(lane.key, -1, self._now())
            for gate in rule.gates:
                self._reopen(gate)

    def _count(self, task_id: bytes, lane: Lane) -> None:
        if lane.key is not None:
            self._keys.setdefault(lane.key, set()).add(task_id)
        if (rule := self.rule(lane)) is not None:
            for gate in rule.counts:
                gate.holders.add(task_id)

    def _discount(self, task_id: bytes, lane: Lane) -> None:
        if lane.key is not None and (holders := self._keys.get(lane.key)) is not None:
            holders.discard(task_id)
            if not holders:
                del self._keys[lane.key]
            for waiting in tuple(self._waiting.get(lane.key, ())):
                self._set_free(waiting)
        if (rule := self.rule(lane)) is not None:
            for gate in rule.counts:
                gate.holders.discard(task_id)
                self._reopen(gate)

    def _reopen(self, gate: Gate) -> None:
        if gate.waiting:
            self._opened |= gate.waiting
            gate.waiting.clear()

    def key_holders(self, key: str) -> set[bytes]:
        return self._keys.get(key, set())

    # --- learning from the store

    def begin_learning(self) -> None:
        """From now on it is remembered who leaves, because pages of the store are older than that."""
        self._ledger.begin_learning()
        self._learners = tuple(self._gates.values())

    def learn(self, running: Iterable[Task]) -> None:
        """Tasks that the store had as running."""
        for task in running:
            lane, rule = task.spec.lane, self.rule(task.spec.lane)
            if (lane.key is not None or (rule is not None and rule.counts)) and self._ledger.learn(task):
                self._count(task.id, lane)

    def unseen(self) -> list[bytes]:
        """Ids of those that are counted here and that no page told of."""
        return self._ledger.unseen()

    def seen(self, record: Task) -> None:
        """How the store has a task: if it runs no attempt that is counted here, that is counted no more."""
        if self._ledger.disproved(record):
            self._discount(record.id, record.spec.lane)

    def end_learning(self, *, whole: bool) -> None:
        """`whole`: all that is running was told."""
        self._ledger.end_learning()
        learners, self._learners = self._learners, ()
        if whole:
            for gate in learners:
                gate.learning = False
                self._reopen(gate)
