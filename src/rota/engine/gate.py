"""What is set for one scope, as dispatch asks it: how many tasks of the scope may start now, and who counts against it."""

from __future__ import annotations

from rota.engine.bucket import Bucket
from rota.model.control import Control, Rate, Scope
from rota.model.task import Lane

UNLIMITED = 2**31
MOST_KEYS = 10_000
"""Buckets of keys kept by one gate before the full ones, which say nothing, are forgotten."""


class Gate:
    """One Control at work."""

    __slots__ = ("_sweep_at", "bucket", "control", "holders", "keys", "learning", "waiting")

    def __init__(self, control: Control, now: int) -> None:
        self.control = control
        self.holders: set[bytes] = set()
        """Ids of the leased tasks of its scope; kept only where concurrency is limited."""
        self.bucket = Bucket(control.rate, now) if control.rate is not None else None
        self.keys: dict[str, Bucket] = {}
        self._sweep_at = MOST_KEYS
        self.waiting: set[Rule] = set()
        """The rules that are shut because of it."""
        self.learning = False
        """It is not known yet how many of its tasks are leased: nothing starts until it is."""

    def renew(self, control: Control, now: int) -> None:
        """Takes over another setting; what a rate that stays the same has spent stays spent."""
        before, self.control = self.control, control
        if control.rate != before.rate:
            self.bucket = Bucket(control.rate, now) if control.rate is not None else None
        if control.key_rate != before.key_rate:
            self.keys.clear()
        if control.concurrency is None:
            self.holders.clear()
            self.learning = False

    def governs(self, lane: Lane) -> bool:
        scope, name = self.control.scope, self.control.name
        if scope is Scope.GROUP:
            return (lane.group or "") == name
        return scope is Scope.NODE or lane.method == name

    def room(self, now: int) -> int:
        """How many tasks of the scope may start now."""
        control = self.control
        if control.paused:
            return 0
        room = UNLIMITED
        if control.concurrency is not None:
            room = 0 if self.learning else max(0, control.concurrency - len(self.holders))
        return min(room, self.bucket.room(now)) if self.bucket is not None and room else room

    def next_at(self, now: int) -> int | None:
        """The instant at which time alone lets something start; None: something else has to happen first."""
        instant = self.bucket.next_at(now) if self.bucket is not None else now
        return instant if instant > now else None

    def key_bucket(self, key: str, now: int) -> Bucket | None:
        """What the key may start by the rate for each key; None: no such rate is set."""
        rate = self.control.key_rate
        return self._of_key(rate, key, now) if rate is not None else None

    def _of_key(self, rate: Rate, key: str, now: int) -> Bucket:
        bucket = self.keys.get(key)
        if bucket is None:
            if len(self.keys) >= self._sweep_at:
                self.keys = {name: known for name, known in self.keys.items() if not known.full(now)}
                self._sweep_at = max(MOST_KEYS, 2 * len(self.keys))
            bucket = self.keys[key] = Bucket(rate, now)
        return bucket


class Rule:
    """The gates that govern a lane. Lanes under the same gates share one rule."""

    __slots__ = ("counts", "gates", "keyed")

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self.gates = gates
        self.counts = tuple(gate for gate in gates if gate.control.concurrency is not None)
        self.keyed = any(gate.control.key_rate is not None for gate in gates)

    def room(self, now: int) -> int:
        return min(gate.room(now) for gate in self.gates)

    def key_buckets(self, key: str, now: int) -> list[Bucket]:
        """The rates that a concurrency key is under."""
        return [bucket for gate in self.gates if (bucket := gate.key_bucket(key, now)) is not None]

    def spend(self, key: str | None, count: int, now: int) -> None:
        """So many start; below zero: so many did not start after all."""
        for gate in self.gates:
            if gate.bucket is not None:
                gate.bucket.take(count)
        if self.keyed and key is not None:
            for bucket in self.key_buckets(key, now):
                bucket.take(count)
