"""The workers that are connected, what each can run, and what each has in hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rota.contract.door import WorkerDoor
from rota.model.method import NO_OPTIONS, Method, Options
from rota.model.task import Lane, Task
from rota.model.worker import Facts, Load, WorkerRecord

_SMOOTHING = 0.3
_MOST_REMEMBERED = 10_000


class Seat:
    """One worker at work. `held` are the leased tasks by id; `in_hand` also counts reports that are being written."""

    __slots__ = (
        "_mean",
        "confined",
        "detached",
        "door",
        "draining",
        "facts",
        "finished",
        "fresh",
        "groups",
        "held",
        "in_hand",
        "load",
        "methods",
        "number",
        "overdue",
        "prefetch",
        "recalled_at",
        "seen_at",
        "session_key",
        "since",
        "started",
        "stood_down",
        "versions",
    )

    def __init__(
        self, number: int, facts: Facts, methods: Sequence[Method], session_key: bytes, door: WorkerDoor
    ) -> None:
        self.number = number
        self.session_key = session_key
        self.door = door
        self.held: dict[bytes, Task] = {}
        self.started: set[bytes] = set()
        self.fresh: dict[bytes, Task] = {}
        """Started, and the store does not know yet."""
        self.in_hand = 0
        self.prefetch = 0
        self.draining = False
        self.confined = False
        """Its token is bound to groups: tasks without one are not for it."""
        self.stood_down = False
        """Somebody asked that it takes nothing more."""
        self.detached = False
        self.overdue = False
        """One of its leases lapsed though its link is up: it gets nothing until its next heartbeat."""
        self.load = Load()
        self.finished = 0
        self.since = self.seen_at = 0
        self.recalled_at = 0
        self._mean: float | None = None
        self.learn(facts, methods)

    def learn(self, facts: Facts, methods: Sequence[Method]) -> None:
        self.facts = facts
        self.methods = tuple(methods)
        self.groups = frozenset(facts.groups)
        self.versions: dict[str, set[int]] = {}
        for method in methods:
            self.versions.setdefault(method.name, set()).add(method.version)

    @property
    def room(self) -> int:
        """How many more tasks it may be given now."""
        if self.draining or self.stood_down or self.detached or self.overdue:
            return 0
        return self.facts.slots + self.prefetch - self.in_hand

    @property
    def idle_slots(self) -> int:
        if self.draining or self.stood_down or self.detached or self.overdue:
            return 0
        return max(0, self.facts.slots - self.in_hand)

    @property
    def fullness(self) -> float:
        return self.in_hand / (self.facts.slots * self.facts.weight)

    def serves(self, lane: Lane, highest: int | None) -> bool:
        if lane.target is not None and lane.target != self.facts.id:
            return False
        if lane.group not in self.groups and (lane.group is not None or self.confined):
            return False
        return (lane.version or highest) in self.versions.get(lane.method, ())

    def reaches(self, group: str | None) -> bool:
        """Whether what it says counts for tasks of a group; None: for those without one."""
        return not self.confined or group in self.groups

    def unstarted(self) -> list[Task]:
        """What it holds and has not said that it started."""
        return [task for task in self.held.values() if task.id not in self.started]

    def record(self) -> WorkerRecord:
        """How it is listed."""
        return WorkerRecord(
            self.number,
            self.facts,
            self.methods,
            self.since,
            self.seen_at,
            draining=self.draining or self.stood_down,
            load=self.load,
            in_hand=self.in_hand,
            running=len(self.started),
            finished=self.finished,
        )

    def give(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self.held[task.id] = task
            self.in_hand += 1

    def drop(self, task_id: bytes) -> Task | None:
        """Forgets a task that is no longer in its hands."""
        if (task := self.held.pop(task_id, None)) is not None:
            self.in_hand -= 1
            self.started.discard(task_id)
            self.fresh.pop(task_id, None)
        return task

    def pace(self, ran: float, count: int, cap: int, ahead: float) -> None:
        """Learns how long its tasks are (microseconds, over `count` of them), and how many to give it ahead."""
        mean = ran / count
        self._mean = mean if self._mean is None else self._mean + _SMOOTHING * (mean - self._mean)
        if self._mean >= ahead:
            self.prefetch = 0
        else:
            self.prefetch = min(cap, int(self.facts.slots * ahead / max(self._mean, 1.0)))


class Roster:
    """Who is there. Answers by lane are remembered until somebody comes, goes or learns."""

    def __init__(self) -> None:
        self._seats: dict[int, Seat] = {}
        self._by_id: dict[str, Seat] = {}
        self._eligible: dict[Lane, list[Seat]] = {}
        self._crews: dict[tuple[int, ...], list[Seat]] = {}
        self.version = 0
        """Another number whenever an answer by lane may have become another."""
        self._declared: dict[str, dict[int, Options]] = {}
        self._within: dict[tuple[str, str], dict[int, Options]] = {}
        """By group and name: what workers declare for their groups alone."""
        self._names: set[str] = set()
        """Of methods that are in one of the two."""
        self._defaults: dict[tuple[str, int | None, str | None], Options] = {}

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def __len__(self) -> int:
        return sum(not seat.detached for seat in self._seats.values())

    def seat(self, number: int | None) -> Seat | None:
        return self._seats.get(number) if number is not None else None

    def in_hand(self, task: Task) -> Task | None:
        """The record that the holder of this very attempt is known by here, if it is known here."""
        seat = self.seat(task.worker)
        held = seat.held.get(task.id) if seat is not None else None
        return held if held is not None and held.attempt == task.attempt else None

    def named(self, worker_id: str) -> Seat | None:
        return self._by_id.get(worker_id)

    def add(self, seat: Seat) -> None:
        self._seats[seat.number] = seat
        self._by_id[seat.facts.id] = seat
        if seat.confined:
            self.declare_within(seat.facts.groups, seat.methods)
        else:
            self.declare(seat.methods)
        self.changed()

    def remove(self, seat: Seat) -> None:
        self._seats.pop(seat.number, None)
        self._by_id.pop(seat.facts.id, None)
        self.changed()

    def changed(self) -> None:
        self._eligible.clear()
        self._crews.clear()
        self._defaults.clear()
        self.version += 1

    def eligible(self, lane: Lane) -> list[Seat]:
        """Those that may run tasks of the lane, full or not. An unpinned task goes to the highest live version.

        Lanes with the same answer have the same list.
        """
        if lane.key is not None:
            lane = lane._replace(key=None)
        known = self._eligible.get(lane)
        if known is None:
            highest = None if lane.version else self._highest_live(lane.method, lane.group)
            known = [seat for seat in self._seats.values() if not seat.detached and seat.serves(lane, highest)]
            known = self._crews.setdefault(tuple(seat.number for seat in known), known)
            if len(self._eligible) >= _MOST_REMEMBERED:
                self._eligible.clear()
            self._eligible[lane] = known
        return known

    def declare(self, methods: Iterable[Method]) -> None:
        """Remembers methods, offered now or before."""
        for method in methods:
            self._declared.setdefault(method.name, {})[method.version] = method.defaults
            self._names.add(method.name)
        self._defaults.clear()

    def declare_within(self, groups: Iterable[str], methods: Sequence[Method]) -> None:
        """The same, for tasks of these groups alone. What was declared for all goes before it."""
        for group in groups:
            for method in methods:
                if len(self._within) < _MOST_REMEMBERED or (group, method.name) in self._within:
                    self._within.setdefault((group, method.name), {})[method.version] = method.defaults
                    self._names.add(method.name)
        self._defaults.clear()

    def offered(self, name: str) -> bool:
        """Some worker has offered the method, now or before."""
        return name in self._names

    def defaults(self, name: str, version: int | None, group: str | None) -> Options:
        """The options declared with a method: of the pinned version, else of the highest live, else the highest known.
        `group`: as the submit says it, whatever the options say."""
        if group is not None and (group, name) not in self._within:
            group = None  # as for all: what is remembered must not grow with the groups
        known = self._defaults.get((name, version, group))
        if known is None:
            known = self._look_up_defaults(name, version, group)
            if name in self._names and len(self._defaults) < _MOST_REMEMBERED:
                self._defaults[name, version, group] = known
        return known

    def _look_up_defaults(self, name: str, version: int | None, group: str | None) -> Options:
        versions = self._declared.get(name, {})
        if group is not None and (within := self._within.get((group, name))):
            versions = within | versions
        if not versions:
            return NO_OPTIONS
        return versions.get(version or self._highest_live(name, group) or max(versions), NO_OPTIONS)

    def offers(self, method: Method) -> int:
        """How many live workers offer it."""
        return sum(
            not seat.detached and method.version in seat.versions.get(method.name, ()) for seat in self._seats.values()
        )

    def _highest_live(self, name: str, group: str | None) -> int | None:
        versions = [
            max(seat.versions[name])
            for seat in self._seats.values()
            if not seat.detached and name in seat.versions and seat.reaches(group)
        ]
        return max(versions, default=None)
