"""What becomes of entries that are submitted: accepted, found to be duplicates, or refused.

The decision is pure: a driver shows what it holds as a `Shelf`, inside its accepting transaction, and writes what the
`Decision` says. Every driver decides by this one text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol
from uuid import UUID

from rota.contract.store import Entry, Receipt
from rota.model.errors import Conflict, NotFound, Overloaded, RotaError
from rota.model.task import Lane, State, Task


class Body(NamedTuple):
    """What makes two submits of one id the same."""

    method: str
    params: bytes


class Answered(NamedTuple):
    """What an idempotency key was answered with."""

    task_id: bytes
    fingerprint: bytes


class Holder(NamedTuple):
    """The unended task that holds a unique key."""

    task_id: bytes
    running: bool


class Depth(NamedTuple):
    """How many unended tasks a group may have, and has."""

    limit: int
    queued: int

    @property
    def room(self) -> int:
        return max(0, self.limit - self.queued)


class Shelf(Protocol):
    """What the store holds already, as far as the entries at hand ask for it."""

    def body(self, task_id: bytes) -> Body | None: ...

    def answered(self, idempotency_key: str) -> Answered | None: ...

    def holder(self, unique_key: str) -> Holder | None: ...

    def ordered(self, order_key: str) -> bool:
        """Whether an unended task holds, or waits for, the key."""
        ...

    def standing(self, task_id: bytes) -> State | None:
        """The state of a task that another comes after."""
        ...

    def lane(self, task_id: bytes) -> Lane | None:
        """Of a task that it tells of otherwise. Asked for entries that are bound."""
        ...

    def depth(self, group: str | None) -> Depth | None:
        """How deep the group is, and may be; None where it has no limit."""
        ...


@dataclass(slots=True)
class Decision:
    receipts: list[Receipt] = field(default_factory=list)
    accepted: list[Entry] = field(default_factory=list)
    behind: set[bytes] = field(default_factory=set)
    """Ids of the accepted tasks that wait behind their order key."""
    parents: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    """Of accepted tasks, by id: the unended tasks that they wait for."""
    stillborn: dict[bytes, tuple[bytes, State]] = field(default_factory=dict)
    """Accepted tasks that are kept as failed, by id: the parent that did not succeed, and how it ended."""
    holders: dict[str, Holder] = field(default_factory=dict)
    """Who holds the unique keys of this batch after it."""
    taken: dict[str, bytes] = field(default_factory=dict)
    """Unique keys that leave a task that the store held already, and its id."""
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    """Tasks that are to be cancelled once the batch is stored, and each one's successor, by id."""
    remembered: dict[str, Answered] = field(default_factory=dict)
    """New answers under idempotency keys."""


def decide(entries: Sequence[Entry], shelf: Shelf, *, atomic: bool) -> Decision:
    """One receipt each, in order. Earlier entries of the batch count as held for the later ones."""
    batch = _Batch(shelf)
    decision = batch.decision
    decision.receipts.extend(batch.judge(entry) for entry in entries)
    if atomic and any(receipt.refusal for receipt in decision.receipts):
        return Decision([_refused_with_the_batch(receipt) for receipt in decision.receipts])
    return decision


def receipts_of(decision: Decision, replaced: Sequence[Task], unblocked: Sequence[Task]) -> list[Receipt]:
    """With the tasks that were replaced, as they stand now. What moved on is told with the first that replaced another."""
    mine = {entry.task.id for entry in decision.accepted}
    others = tuple(task for task in unblocked if task.id not in mine)
    predecessors = {decision.replaced[task.id]: task for task in replaced}
    told: list[Receipt] = []
    for receipt in decision.receipts:
        new = not receipt.duplicate and receipt.refusal is None
        if new and receipt.task_id in predecessors:
            receipt = replace(receipt, replaced=predecessors[receipt.task_id], unblocked=others)
            others = ()
        told.append(receipt)
    return told


class _Batch:
    def __init__(self, shelf: Shelf) -> None:
        self.decision = Decision()
        self._shelf = shelf
        self._bodies: dict[bytes, Body] = {}
        self._lanes: dict[bytes, Lane] = {}
        self._ordered: set[str] = set()
        self._stands_for: dict[bytes, bytes] = {}
        """Ids of duplicates in this batch, and the task that each was answered with."""
        self._entered: Counter[str | None] = Counter()
        """Accepted tasks of this batch, by group."""

    def judge(self, entry: Entry) -> Receipt:
        receipt = self._receipt(entry)
        key = entry.idempotency_key
        if receipt.refusal is not None:
            return receipt
        if key is not None and self._shelf.answered(key) is None:
            self.decision.remembered.setdefault(key, Answered(receipt.task_id, entry.fingerprint))
        if receipt.duplicate:
            self._stands_for[entry.task.id] = receipt.task_id
        else:
            self._accept(entry)
        return receipt

    def _receipt(self, entry: Entry) -> Receipt:
        return (
            self._by_id(entry)
            or self._by_idempotency(entry)
            or self._by_unique_key(entry)
            or self._by_parents(entry)
            or self._by_depth(entry)
            or Receipt(entry.task.id)
        )

    def _by_id(self, entry: Entry) -> Receipt | None:
        task = entry.task
        known = self._bodies.get(task.id) or self._shelf.body(task.id)
        if known is None:
            return None
        same = known == _body(task) and self._sees(entry, task.id)
        return Receipt(task.id, duplicate=same, refusal=None if same else _id_reused())

    def _by_idempotency(self, entry: Entry) -> Receipt | None:
        key = entry.idempotency_key
        if key is None:
            return None
        answer = self.decision.remembered.get(key) or self._shelf.answered(key)
        if answer is None:
            return None
        same = answer.fingerprint == entry.fingerprint and self._sees(entry, answer.task_id)
        return Receipt(answer.task_id, duplicate=same, refusal=None if same else _key_reused(key))

    def _by_unique_key(self, entry: Entry) -> Receipt | None:
        spec = entry.task.spec
        if spec.unique_key is None:
            return None
        holder = self._holder(spec.unique_key)
        if holder is None:
            return None
        if not self._sees(entry, holder.task_id):
            return Receipt(entry.task.id, refusal=_key_taken_elsewhere(spec.unique_key))
        if spec.unique_mode == "replace":
            return None
        if spec.unique_mode == "reject":
            return Receipt(entry.task.id, refusal=_key_taken(spec.unique_key, holder.task_id))
        return Receipt(holder.task_id, duplicate=True)

    def _by_parents(self, entry: Entry) -> Receipt | None:
        for parent in entry.task.spec.after:
            if self._standing(parent) is None or not self._sees(entry, self._stands_for.get(parent, parent)):
                return Receipt(entry.task.id, refusal=_parent_not_found(parent))
        return None

    def _by_depth(self, entry: Entry) -> Receipt | None:
        """What it replaces still counts: whether that ends is known only once the batch is stored."""
        group = entry.task.spec.lane.group
        depth = self._shelf.depth(group)
        if depth is None or self._entered[group] < depth.room:
            return None
        return Receipt(entry.task.id, refusal=_group_full(group, depth))

    def _sees(self, entry: Entry, task_id: bytes) -> bool:
        """Whether the entry's sender may know of the task. One that was removed by now is a secret to nobody."""
        if entry.bound is None:
            return True
        lane = self._lanes.get(task_id) or self._shelf.lane(task_id)
        return lane is None or lane.group in entry.bound

    def _holder(self, unique_key: str) -> Holder | None:
        return self.decision.holders.get(unique_key) or self._shelf.holder(unique_key)

    def _standing(self, task_id: bytes) -> State | None:
        task_id = self._stands_for.get(task_id, task_id)
        if task_id in self.decision.stillborn:
            return State.FAILED
        return State.WAITING if task_id in self._bodies else self._shelf.standing(task_id)

    # --- what an accepted entry takes

    def _accept(self, entry: Entry) -> None:
        task = entry.task
        self.decision.accepted.append(entry)
        self._bodies[task.id] = _body(task)
        self._lanes[task.id] = task.spec.lane
        if task.spec.after and self._is_stillborn(task):
            return
        self._entered[task.spec.lane.group] += 1
        if task.spec.order_key is not None:
            self._line_up(task, task.spec.order_key)
        if task.spec.unique_key is not None:
            self._take(task, task.spec.unique_key)

    def _is_stillborn(self, task: Task) -> bool:
        """Whether a parent has not succeeded, and that matters; else notes which ones are waited for."""
        waited_for: dict[bytes, None] = {}
        for parent in task.spec.after:
            parent = self._stands_for.get(parent, parent)
            state = self._standing(parent)
            if state is None or not state.ended:
                waited_for[parent] = None
            elif state is not State.SUCCEEDED and not task.spec.run_anyway:
                self.decision.stillborn[task.id] = parent, state
                return True
        if waited_for:
            self.decision.parents[task.id] = tuple(waited_for)
        return False

    def _line_up(self, task: Task, order_key: str) -> None:
        if order_key in self._ordered or self._shelf.ordered(order_key):
            self.decision.behind.add(task.id)
        self._ordered.add(order_key)

    def _take(self, task: Task, unique_key: str) -> None:
        decision, holder = self.decision, self._holder(unique_key)
        if holder is not None:
            if not holder.running:
                decision.replaced[holder.task_id] = task.id
            if unique_key not in decision.holders:
                decision.taken[unique_key] = holder.task_id
        waits = task.id in decision.behind or task.id in decision.parents
        decision.holders[unique_key] = Holder(task.id, task.state is State.RUNNING and not waits)


def _body(task: Task) -> Body:
    return Body(task.spec.lane.method, task.spec.params)


def _id_reused() -> RotaError:
    return Conflict(
        "another task has this id, with another method or other params: make a new id for a new task", code="id_reused"
    )


def _key_reused(key: str) -> RotaError:
    return Conflict(
        f"the idempotency key {key!r} was used for another body within the last day: use a new key for a new task",
        code="idempotency_key_reused",
    )


def _key_taken(key: str, holder: bytes) -> RotaError:
    return Conflict(
        f"the task {UUID(bytes=holder)} holds the unique key {key!r} and has not ended: wait for its end, or submit with"
        " the unique mode return or replace",
        code="unique_key_taken",
    )


def _key_taken_elsewhere(key: str) -> RotaError:
    return Conflict(
        f"a task in a group that is not this token's holds the unique key {key!r}: take another key, for keys are those of"
        " the whole node",
        code="unique_key_taken",
    )


def _parent_not_found(parent: bytes) -> RotaError:
    return NotFound(
        f"there is no task {UUID(bytes=parent)} to come after: it was never accepted, stands later in this batch, or was"
        " removed after its end",
        code="parent_not_found",
    )


def _group_full(group: str | None, depth: Depth) -> RotaError:
    whose = f"the group {group!r}" if group else "those without a group"
    return Overloaded(
        f"{depth.queued} tasks of {whose} have not ended; the limit set for it is {depth.limit} (max_queued)."
        " Come again when workers have caught up, give it more workers, or raise the limit",
        code="queue_full",
    )


def _refused_with_the_batch(receipt: Receipt) -> Receipt:
    if receipt.refusal is not None:
        return receipt
    refusal = Conflict("another task of this all-or-nothing batch was refused", code="batch_refused")
    return Receipt(receipt.task_id, refusal=refusal)
