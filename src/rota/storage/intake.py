"""What becomes of entries that are submitted: accepted, found to be duplicates, or refused.

The decision is pure: a driver shows what it holds as a `Shelf`, inside its accepting transaction, and writes what the
`Decision` says. Every driver decides by this one text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rota.contract.store import Entry, Receipt
from rota.model.errors import Conflict, RotaError
from rota.model.task import Task


class Body(NamedTuple):
    """What makes two submits of one id the same."""

    method: str
    params: bytes


class Answered(NamedTuple):
    """What an idempotency key was answered with."""

    task_id: bytes
    fingerprint: bytes


class Shelf(Protocol):
    """What the store holds already, as far as the entries at hand ask for it."""

    def body(self, task_id: bytes) -> Body | None: ...

    def answered(self, idempotency_key: str) -> Answered | None: ...

    def holder(self, unique_key: str) -> bytes | None:
        """The id of the unended task that holds the key."""
        ...

    def ordered(self, order_key: str) -> bool:
        """Whether an unended task holds, or waits for, the key."""
        ...


@dataclass(slots=True)
class Decision:
    receipts: list[Receipt] = field(default_factory=list)
    accepted: list[Entry] = field(default_factory=list)
    behind: set[bytes] = field(default_factory=set)
    """Ids of the accepted tasks that wait behind their order key."""
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


class _Batch:
    def __init__(self, shelf: Shelf) -> None:
        self.decision = Decision()
        self._shelf = shelf
        self._bodies: dict[bytes, Body] = {}
        self._holders: dict[str, bytes] = {}
        self._ordered: set[str] = set()

    def judge(self, entry: Entry) -> Receipt:
        receipt = self._receipt(entry)
        key = entry.idempotency_key
        if receipt.refusal is None and key is not None and self._shelf.answered(key) is None:
            self.decision.remembered.setdefault(key, Answered(receipt.task_id, entry.fingerprint))
        if receipt.refusal is None and not receipt.duplicate:
            self._accept(entry)
        return receipt

    def _receipt(self, entry: Entry) -> Receipt:
        return self._by_id(entry) or self._by_idempotency(entry) or self._by_unique_key(entry) or Receipt(entry.task.id)

    def _by_id(self, entry: Entry) -> Receipt | None:
        task = entry.task
        known = self._bodies.get(task.id) or self._shelf.body(task.id)
        if known is None:
            return None
        same = known == _body(task)
        return Receipt(task.id, duplicate=same, refusal=None if same else _id_reused())

    def _by_idempotency(self, entry: Entry) -> Receipt | None:
        key = entry.idempotency_key
        if key is None:
            return None
        answer = self.decision.remembered.get(key) or self._shelf.answered(key)
        if answer is None:
            return None
        same = answer.fingerprint == entry.fingerprint
        return Receipt(answer.task_id, duplicate=same, refusal=None if same else _key_reused(key))

    def _by_unique_key(self, entry: Entry) -> Receipt | None:
        key = entry.task.spec.unique_key
        if key is None:
            return None
        holder = self._holders.get(key) or self._shelf.holder(key)
        return Receipt(holder, duplicate=True) if holder is not None else None

    def _accept(self, entry: Entry) -> None:
        task, spec = entry.task, entry.task.spec
        self.decision.accepted.append(entry)
        self._bodies[task.id] = _body(task)
        if spec.unique_key is not None:
            self._holders[spec.unique_key] = task.id
        if spec.order_key is not None:
            if spec.order_key in self._ordered or self._shelf.ordered(spec.order_key):
                self.decision.behind.add(task.id)
            self._ordered.add(spec.order_key)


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


def _refused_with_the_batch(receipt: Receipt) -> Receipt:
    if receipt.refusal is not None:
        return receipt
    refusal = Conflict("another task of this all-or-nothing batch was refused", code="batch_refused")
    return Receipt(receipt.task_id, refusal=refusal)
