"""Submissions in, accepted tasks out: checked, filled up with declared defaults, and kept before they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rota.contract.store import Entry, Receipt, Store
from rota.engine.dispatch import Dispatch
from rota.engine.fingerprint import fingerprint
from rota.engine.roster import Roster
from rota.engine.rules import check_key, check_options, check_submission, run_at_of, trace_of
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.life.failpoint import failpoint
from rota.model import lifecycle
from rota.model.errors import Conflict, InvalidInput, Overloaded, RotaError
from rota.model.method import NO_OPTIONS
from rota.model.names import check_name
from rota.model.submission import Submission
from rota.model.task import Lane, Spec, Task

_KNOWN_LANES_LIMIT = 10_000


class Intake:
    """The way in."""

    def __init__(
        self, store: Store, roster: Roster, dispatch: Dispatch, watch: StoreWatch, settings: EngineSettings
    ) -> None:
        self._store = store
        self._watch = watch
        self._roster = roster
        self._dispatch = dispatch
        self._settings = settings
        self._known_lanes: dict[str, Lane] = {}

    async def submit(self, batch: Sequence[Submission], *, atomic: bool) -> tuple[list[Receipt], list[Task]]:
        """The receipts in order, and the records of those that were newly accepted. After COMMIT."""
        self._check_batch(batch)
        now = self._store.now()
        refusals: dict[int, RotaError] = {}
        entries: list[Entry] = []
        for index, submission in enumerate(batch):
            try:
                entries.append(self._entry(submission, now, index))
            except RotaError as error:
                # Its traceback would keep this batch, however large, until the collector of cycles comes by.
                refusals[index] = error.with_traceback(None)
        if atomic and refusals:
            return _all_refused(len(batch), refusals), []
        receipts, accepted = await self._keep(entries, now, atomic)
        if refusals:
            receipts = _merged(receipts, refusals, batch)
        return self._warned(receipts, batch), accepted

    async def _keep(self, entries: list[Entry], now: int, atomic: bool) -> tuple[list[Receipt], list[Task]]:
        if not entries:
            return [], []
        leased = self._dispatch.express([entry.task for entry in entries], now)
        failpoint("intake.before_store")
        try:
            receipts = await self._store.submit(entries, atomic=atomic)
        except BaseException as error:
            self._watch.failed(error)
            self._dispatch.take_back(leased)
            raise
        failpoint("intake.after_store")
        self._watch.worked()
        accepted = [
            entry.task
            for entry, receipt in zip(entries, receipts, strict=True)
            if not receipt.duplicate and receipt.refusal is None
        ]
        self._dispatch.accepted(leased, accepted, complete=len(accepted) == len(entries))
        return receipts, accepted

    def _check_batch(self, batch: Sequence[Submission]) -> None:
        limit = self._settings.max_batch
        if not 0 < len(batch) <= limit:
            raise InvalidInput.at("tasks", "batch_size", f"{len(batch)} tasks; a batch has 1 to {limit}")
        if self._store.unended + len(batch) > self._settings.max_queued:
            raise Overloaded(
                f"{self._store.unended} tasks have not ended; the limit is {self._settings.max_queued} "
                "(setting max_queued). Let workers catch up, or raise it",
                code="queue_full",
            )

    def _entry(self, submission: Submission, now: int, index: int) -> Entry:
        spec, run_at, expire_at = self._spec(submission, now, index)
        task = lifecycle.accept(submission.id, spec, now, run_at, expire_at)
        if submission.idempotency_key is None:
            return Entry(task, bound=submission.bound)
        check_key(submission.idempotency_key, f"tasks[{index}].idempotency_key")
        return Entry(task, submission.idempotency_key, fingerprint(submission), submission.bound)

    def _spec(self, submission: Submission, now: int, index: int) -> tuple[Spec, int | None, int | None]:
        lane = self._known_lanes.get(submission.method) or self._check_method(submission.method, index)
        if len(submission.params) > self._settings.max_payload:
            raise self._too_large(submission, index)
        plain = _says_nothing(submission)
        if not plain:
            check_submission(submission, f"tasks[{index}]")
        declared = self._roster.defaults(submission.method, submission.version, submission.options.group)
        options = submission.options
        if declared is not NO_OPTIONS:
            options = options.over(declared)
        if plain and options is NO_OPTIONS:
            return Spec(lane, submission.params, created_at=now), None, None
        if options is not NO_OPTIONS:
            check_options(options, submission.options, f"tasks[{index}].options", now)
        lane = Lane(submission.method, options.group, submission.version, submission.target, options.concurrency_key)
        run_at = run_at_of(options, now)
        expire_at = max(run_at or now, now) + options.expires if options.expires is not None else None
        spec = Spec(
            lane,
            submission.params,
            options.priority or 0,
            options.retry_policy(),
            options.timeout,
            options.result_ttl,
            options.unique_key,
            options.order_key,
            now,
            None,
            submission.labels,
            "replace" if options.debounce is not None else options.unique_mode or "return",
            options.concurrency_limit or 1,
            submission.after,
            submission.on_parent_failure == "run",
            submission.batch,
            trace_of(submission),
        )
        return spec, run_at, expire_at

    def _too_large(self, submission: Submission, index: int) -> InvalidInput:
        return InvalidInput.at(
            f"tasks[{index}].params",
            "payload_too_large",
            f"{len(submission.params)} bytes of params; the limit is {self._settings.max_payload}. "
            "Store the data elsewhere and send its address",
        )

    def _check_method(self, name: str, index: int) -> Lane:
        """The lane of the tasks of the method that say nothing of one; remembered, so that it is checked once."""
        path = f"tasks[{index}].method"
        check_name(name, path)
        if "@" in name:
            raise InvalidInput.at(path, "invalid_name", "'@' pins a version: send it as `version`")
        if len(self._known_lanes) >= _KNOWN_LANES_LIMIT:
            self._known_lanes.clear()
        lane = self._known_lanes[name] = Lane(name)
        return lane

    def _warned(self, receipts: list[Receipt], batch: Sequence[Submission]) -> list[Receipt]:
        names = {submission.method for submission in batch}
        unknown = {name for name in names if not self._roster.offered(name)}
        if not unknown:
            return receipts
        return [
            replace(receipt, warning="no_worker_for_method")
            if submission.method in unknown and receipt.refusal is None
            else receipt
            for receipt, submission in zip(receipts, batch, strict=True)
        ]


def _says_nothing(submission: Submission) -> bool:
    """Nothing but a method, params and perhaps options."""
    return (
        not (submission.labels or submission.after or submission.trace)
        and submission.batch is None
        and submission.version is None
        and submission.target is None
        and submission.on_parent_failure == "fail"
    )


def _all_refused(count: int, refusals: dict[int, RotaError]) -> list[Receipt]:
    others = Conflict(f"not accepted, because task {min(refusals)} of its batch was refused", code="batch_refused")
    return [Receipt(b"", refusal=refusals.get(index, others)) for index in range(count)]


def _merged(receipts: list[Receipt], refusals: dict[int, RotaError], batch: Sequence[Submission]) -> list[Receipt]:
    kept = iter(receipts)
    return [
        Receipt(submission.id, refusal=refusals[index]) if index in refusals else next(kept)
        for index, submission in enumerate(batch)
    ]
