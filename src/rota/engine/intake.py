"""Submissions in, accepted tasks out: checked, filled up with declared defaults, and kept before they are answered."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from rota.contract.store import Entry, Receipt, Store
from rota.engine.dispatch import Dispatch
from rota.engine.roster import Roster
from rota.engine.settings import EngineSettings
from rota.life.failpoint import failpoint
from rota.model import lifecycle
from rota.model.errors import Conflict, Fault, InvalidInput, Overloaded, RotaError
from rota.model.method import NO_OPTIONS, Options
from rota.model.names import check_name
from rota.model.retry import SECOND
from rota.model.submission import Submission
from rota.model.task import HIGHEST_PRIORITY, LOWEST_PRIORITY, Lane, Spec, Task

_YEAR = 366 * 24 * 3600 * SECOND
MAX_RETRIES = 1_000
MAX_KEY_BYTES = 256
MAX_LABELS = 32
_KNOWN_NAMES_LIMIT = 10_000


class Intake:
    """The way in."""

    def __init__(self, store: Store, roster: Roster, dispatch: Dispatch, settings: EngineSettings) -> None:
        self._store = store
        self._roster = roster
        self._dispatch = dispatch
        self._settings = settings
        self._known_names: set[str] = set()

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
        except BaseException:
            self._dispatch.take_back(leased)
            raise
        failpoint("intake.after_store")
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
            return Entry(task)
        _check_key(submission.idempotency_key, f"tasks[{index}].idempotency_key")
        return Entry(task, submission.idempotency_key, _fingerprint(submission))

    def _spec(self, submission: Submission, now: int, index: int) -> tuple[Spec, int | None, int | None]:
        self._check_submission(submission, index)
        declared = self._roster.defaults(submission.method, submission.version)
        options = submission.options
        if declared is not NO_OPTIONS:
            options = options.over(declared)
        lane = Lane(submission.method, options.group, submission.version, submission.target)
        if options is NO_OPTIONS and not submission.labels:
            return Spec(lane, submission.params, created_at=now), None, None
        self._check_options(options, f"tasks[{index}].options", now)
        run_at = _run_at(options, now)
        expire_at = (run_at or now) + options.expires if options.expires is not None else None
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
        )
        return spec, run_at, expire_at

    def _check_submission(self, submission: Submission, index: int) -> None:
        if submission.method not in self._known_names:
            self._check_method(submission.method, f"tasks[{index}].method")
        if len(submission.params) > self._settings.max_payload:
            raise InvalidInput.at(
                f"tasks[{index}].params",
                "payload_too_large",
                f"{len(submission.params)} bytes of params; the limit is {self._settings.max_payload}. "
                "Store the data elsewhere and send its address",
            )
        if submission.labels:
            self._check_labels(submission, f"tasks[{index}]")

    def _check_method(self, name: str, path: str) -> None:
        check_name(name, path)
        if "@" in name:
            raise InvalidInput.at(path, "invalid_name", "'@' pins a version: send it as `version`")
        self._remember(name)

    def _check_labels(self, submission: Submission, path: str) -> None:
        if len(submission.labels) > MAX_LABELS:
            raise InvalidInput.at(f"{path}.labels", "too_many_labels", f"at most {MAX_LABELS} labels")
        for name, value in submission.labels:
            check_name(name, f"{path}.labels")
            if len(value.encode()) > MAX_KEY_BYTES:
                raise InvalidInput.at(f"{path}.labels.{name}", "too_long", f"at most {MAX_KEY_BYTES} bytes a label")

    def _remember(self, name: str) -> None:
        if len(self._known_names) >= _KNOWN_NAMES_LIMIT:
            self._known_names.clear()
        self._known_names.add(name)

    def _check_options(self, options: Options, path: str, now: int) -> None:
        faults: list[Fault] = []

        def within(name: str, value: float | None, low: float, high: float) -> None:
            if value is not None and not low <= value <= high:
                faults.append(Fault(f"{path}.{name}", "out_of_range", f"{value} is not from {low} to {high}"))

        within("priority", options.priority, LOWEST_PRIORITY, HIGHEST_PRIORITY)
        within("retries", options.retries, 0, MAX_RETRIES)
        within("retry_delay", options.retry_delay, 0, _YEAR)
        within("retry_backoff", options.retry_backoff, 1.0, 100.0)
        within("retry_max_delay", options.retry_max_delay, 0, _YEAR)
        within("retry_jitter", options.retry_jitter, 0.0, 1.0)
        within("timeout", options.timeout, 1_000, _YEAR)
        within("expires", options.expires, 1_000, 10 * _YEAR)
        within("delay", options.delay, 0, 10 * _YEAR)
        within("result_ttl", options.result_ttl, 0, 10 * _YEAR)
        within("run_at", options.run_at, 0, now + 10 * _YEAR)
        if options.delay is not None and options.run_at is not None:
            faults.append(Fault(f"{path}.delay", "both_given", "give delay or run_at, not both"))
        if faults:
            raise InvalidInput.all_of(faults)
        if options.group is not None:
            check_name(options.group, f"{path}.group")
        for key in ("unique_key", "order_key"):
            if (value := getattr(options, key)) is not None:
                _check_key(value, f"{path}.{key}")

    def _warned(self, receipts: list[Receipt], batch: Sequence[Submission]) -> list[Receipt]:
        names = {submission.method for submission in batch}
        unknown = {name for name in names if not self._roster.offered(name)}
        if not unknown:
            return receipts
        return [
            Receipt(receipt.task_id, receipt.duplicate, receipt.refusal, "no_worker_for_method")
            if submission.method in unknown and receipt.refusal is None
            else receipt
            for receipt, submission in zip(receipts, batch, strict=True)
        ]


def _run_at(options: Options, now: int) -> int | None:
    if options.delay is not None:
        return now + options.delay
    return options.run_at


def _check_key(value: str, path: str) -> None:
    if not 0 < len(value.encode("utf-8", "surrogatepass")) <= MAX_KEY_BYTES or not value.isprintable():
        raise InvalidInput.at(path, "invalid_key", f"a key is 1 to {MAX_KEY_BYTES} bytes of printable text")


def _fingerprint(submission: Submission) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (submission.method.encode(), submission.params, repr(submission.options).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _all_refused(count: int, refusals: dict[int, RotaError]) -> list[Receipt]:
    others = Conflict(f"not accepted, because task {min(refusals)} of its batch was refused", code="batch_refused")
    return [Receipt(b"", refusal=refusals.get(index, others)) for index in range(count)]


def _merged(receipts: list[Receipt], refusals: dict[int, RotaError], batch: Sequence[Submission]) -> list[Receipt]:
    kept = iter(receipts)
    return [
        Receipt(submission.id, refusal=refusals[index]) if index in refusals else next(kept)
        for index, submission in enumerate(batch)
    ]
