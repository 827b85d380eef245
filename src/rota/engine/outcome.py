"""What workers report, made into the one guarded write that ends, retries or gives back a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rota.contract.store import Store
from rota.engine.aftermath import Aftermath
from rota.engine.dispatch import Dispatch
from rota.engine.roster import Seat
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.life.failpoint import failpoint
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.failure import Failure
from rota.model.report import Refused, Report, Verdict
from rota.model.task import Reason, State, Task

_FAILURES = {
    Verdict.RAISED: Reason.RAISED,
    Verdict.TIMED_OUT: Reason.TIMED_OUT,
    Verdict.ABANDONED_TIMED_OUT: Reason.TIMED_OUT,
    Verdict.RETRY: Reason.RETRY_ASKED,
    Verdict.INVALID_PARAMS: Reason.INVALID_PARAMS,
    Verdict.RESULT_TOO_LARGE: Reason.RESULT_TOO_LARGE,
}
_STOPS = {
    Verdict.STOPPED: Reason.CANCELLED_BY_CALLER,
    Verdict.ABANDONED_STOPPED: Reason.ABANDONED,
    Verdict.CANCELLED: Reason.CANCELLED_BY_HANDLER,
}

_LOOKS = 5


class Outcome:
    """Takes batches of reports and answers for each that was not kept why."""

    def __init__(
        self,
        store: Store,
        dispatch: Dispatch,
        aftermath: Aftermath,
        watch: StoreWatch,
        settings: EngineSettings,
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._aftermath = aftermath
        self._watch = watch
        self._settings = settings
        self._chance = chance

    async def finished(self, seat: Seat, reports: Sequence[Report]) -> list[Refused]:
        """After COMMIT. Raises Unavailable where the store is away; nothing is lost then, and all can be sent again."""
        now = self._store.now()
        tasks: list[Task] = []
        places: list[int] = []
        changes: list[Change] = []
        strangers: list[int] = []
        ran = 0
        for place, report in enumerate(reports):
            task = seat.held.get(report.id)
            if task is None or task.attempt != report.attempt or task.state is not State.RUNNING:
                strangers.append(place)
                continue
            seat.drop(report.id)
            ran += report.ran
            tasks.append(task)
            places.append(place)
            changes.append(self._change(task, report, now))
        self._learn(seat, ran, len(tasks))
        if changes:
            strangers += await self._write(seat, tasks, places, changes)
        if not strangers:
            return []
        refused = await self._settle(seat, reports, strangers, now)
        return sorted(refused, key=lambda item: item.index)

    async def _write(self, seat: Seat, tasks: list[Task], places: list[int], changes: list[Change]) -> list[int]:
        """Writes what was expected; the places of what the store did not accept."""
        self._dispatch.kick()
        failpoint("outcome.before_store")
        try:
            applied = await self._store.apply(changes, patient=not self._aftermath.awaited(tasks))
        except BaseException as error:
            self._watch.failed(error)
            seat.give(tasks)
            seat.started.update(task.id for task in tasks)
            raise
        failpoint("outcome.after_store")
        self._aftermath.follow(tasks, changes, applied)
        if len(applied.accepted) == len(changes):
            return []
        return [place for place, change in zip(places, changes, strict=True) if change.seq not in applied.accepted]

    async def _settle(self, seat: Seat, reports: Sequence[Report], places: Sequence[int], now: int) -> list[Refused]:
        """Reports of attempts that this node does not have in mind: the store's record decides.

        The same report may be on its way twice; what loses the race is looked at again.
        """
        refused: list[Refused] = []
        for _ in range(_LOOKS):
            places = await self._settle_once(seat, reports, places, now, refused)
            if not places:
                return refused
        return refused + [Refused(place, "stale_attempt", "another change came first") for place in places]

    async def _settle_once(
        self, seat: Seat, reports: Sequence[Report], places: Sequence[int], now: int, refused: list[Refused]
    ) -> list[int]:
        records = await self._store.get([reports[place].id for place in places])
        tasks: list[Task] = []
        written: list[int] = []
        changes: list[Change] = []
        again: list[int] = []
        for place in places:
            report, task = reports[place], records.get(reports[place].id)
            if task is None or not seat.reaches(task.spec.lane.group):
                refused.append(Refused(place, "task_not_found", "no such task: its history may be past its time"))
                continue
            if task.state is State.RUNNING and (task.attempt, task.worker) == (report.attempt, seat.number):
                if any(change.seq == task.seq for change in changes):
                    again.append(place)
                    continue
                tasks.append(task)
                written.append(place)
                changes.append(self._change(task, report, now))
                continue
            self._dispatch.limits.seen(task)
            if not _is_repeat(task, seat, report):
                refused.append(await self._too_late(task, report, place))
        if changes:
            applied = await self._store.apply(changes)
            self._aftermath.follow(tasks, changes, applied)
            again += [p for p, change in zip(written, changes, strict=True) if change.seq not in applied.accepted]
        return again

    async def _too_late(self, task: Task, report: Report, place: int) -> Refused:
        if task.state.ended and task.attempt == report.attempt:
            detail = f"attempt {report.attempt} ended as {task.state.name.lower()} before"
            return Refused(place, "conflict", detail)
        if 0 < report.attempt <= task.attempt:
            note = f"{report.verdict.name.lower()} after its lease was lost"
            await self._store.note_late(task.seq, report.attempt, note)
        detail = f"attempt {report.attempt} lost its lease; the task is {task.state.name.lower()} at {task.attempt}"
        return Refused(place, "stale_attempt", detail)

    def _change(self, task: Task, report: Report, now: int) -> Change:
        keep = self._settings.retention
        if report.verdict is Verdict.SUCCEEDED:
            if len(report.result) <= self._settings.max_payload:
                return lifecycle.succeed(task, report.result, report.started_at, now, keep)
            failure = Failure(("ResultTooLarge",), self._too_large(report))
            return lifecycle.fail(task, failure, Reason.RESULT_TOO_LARGE, report.started_at, now, keep, self._chance)
        failure = report.failure or Failure()
        if report.verdict is Verdict.CRASHED:
            return lifecycle.crash(task, failure, report.started_at, now, keep)
        if (reason := _STOPS.get(report.verdict)) is not None:
            return lifecycle.stop(task, reason, failure.message, report.started_at, now, keep)
        return lifecycle.fail(
            task,
            failure,
            _FAILURES[report.verdict],
            report.started_at,
            now,
            keep,
            self._chance,
            report.retry_after,
        )

    def _too_large(self, report: Report) -> str:
        limit = self._settings.max_payload
        return f"{len(report.result)} bytes of result; the limit is {limit}. Store it elsewhere and return its address"

    def _learn(self, seat: Seat, ran: int, count: int) -> None:
        if count:
            seat.finished += count
            seat.pace(ran, count, self._settings.prefetch, self._settings.prefetch_for)


def _is_repeat(task: Task, seat: Seat, report: Report) -> bool:
    """The same report was kept before: the same attempt, by the same worker, with the same outcome."""
    if task.attempt != report.attempt or task.worker != seat.number or not task.state.ended:
        return _was_retried(task, report)
    if task.state is State.SUCCEEDED:
        return report.verdict is Verdict.SUCCEEDED and task.outcome == report.result
    return report.verdict is not Verdict.SUCCEEDED


def _was_retried(task: Task, report: Report) -> bool:
    """The failure is known already: the task waits for, or has had, its next try by it."""
    if report.verdict is Verdict.CRASHED:
        return task.attempt == report.attempt and task.state is State.READY and task.reason is Reason.CRASHED
    return (
        task.attempt == report.attempt
        and task.state in (State.SCHEDULED, State.READY)
        and task.reason in (Reason.RETRY, Reason.RETRY_ASKED, Reason.DUE)
        and report.verdict in _FAILURES
    )
