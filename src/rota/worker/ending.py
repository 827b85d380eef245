"""How a handler ended, made into a verdict: the same for every place where handlers run."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from rota.model.failure import Failure
from rota.model.report import Verdict
from rota.worker.context import Cancel, Retry
from rota.worker.failures import cleaned, failure_of
from rota.worker.handler import BadParams, Handler


class Stopping(IntEnum):
    """Why a running handler is told to stop."""

    TIMED_OUT = 1
    ASKED = 2
    """By the node: somebody cancelled the task."""
    LOST = 3
    """The task is no longer this worker's."""
    DRAINING = 4


class Ending:
    """What a run of a handler is made of, as far as its outcome is concerned. Durations are microseconds."""

    handler: Handler
    started_at: int
    ran: int
    verdict: Verdict | None
    result: bytes
    failure: Failure | None
    retry_after: int | None
    secrets: tuple[str, ...] = ()
    """Texts that were opened for it, and that nobody is told."""

    @property
    def timeout(self) -> int:
        raise NotImplementedError

    @property
    def why_stopping(self) -> Stopping | None:
        raise NotImplementedError

    def returned(self, value: Any, now: int, max_payload: int) -> None:
        """The handler gave a value back."""
        try:
            result = self.handler.encode(value)
        except Exception as error:
            self.raised(error, now)
            return
        self.ran = now - self.started_at
        if len(result) > max_payload:
            self.failure = Failure(("ResultTooLarge",), _too_large(len(result), max_payload))
            self.verdict = Verdict.RESULT_TOO_LARGE
            return
        self.result = result
        self.verdict = Verdict.SUCCEEDED

    def raised(self, error: BaseException, now: int) -> None:
        """The handler raised, or was made to."""
        self.result = b""
        self.ran = max(0, now - self.started_at) if self.started_at else 0
        stopping = self.why_stopping
        if isinstance(error, BadParams):
            self.failure, verdict = (
                cleaned(("InvalidParams",), str(error), secrets=self.secrets),
                Verdict.INVALID_PARAMS,
            )
        elif stopping is Stopping.TIMED_OUT and not isinstance(error, (Retry, Cancel)):
            self.failure, verdict = self.timeout_failure(error), Verdict.TIMED_OUT
        elif stopping not in (None, Stopping.TIMED_OUT):
            self.failure, verdict = None, Verdict.STOPPED
        elif isinstance(error, Retry):
            self.retry_after = None if error.after is None else round(error.after * 1_000_000)
            self.failure, verdict = cleaned(("rota.Retry",), error.message, secrets=self.secrets), Verdict.RETRY
        elif isinstance(error, Cancel):
            self.failure, verdict = cleaned((), error.reason, secrets=self.secrets), Verdict.CANCELLED
        else:
            self.failure, verdict = failure_of(error, self.secrets), Verdict.RAISED
        self.verdict = verdict

    def lost(self, failure: Failure, now: int) -> None:
        """Its process died. Where it was killed because the handler had to stop, that is the outcome."""
        self.ran = max(0, now - self.started_at) if self.started_at else 0
        if self.why_stopping is None:
            self.failure, self.verdict = failure, Verdict.CRASHED
        elif self.why_stopping is Stopping.TIMED_OUT:
            self.failure, self.verdict = self.timeout_failure(), Verdict.TIMED_OUT
        else:
            self.failure, self.verdict = None, Verdict.STOPPED

    def abandoned_failure(self) -> Failure:
        """Out of time, and nothing can stop it."""
        late = self.timeout_failure()
        words = "; its thread could not be stopped and was abandoned: isolation='process' can always be stopped"
        return Failure(late.types, late.message + words)

    def timeout_failure(self, error: BaseException | None = None) -> Failure:
        """With the place where the handler was, as far as it is known."""
        where = failure_of(error, self.secrets).traceback if error is not None else ""
        return Failure(
            ("TimeoutError", "OSError", "Exception"),
            f"it ran longer than its timeout of {self.timeout / 1e6:g} s",
            where,
        )


def _too_large(size: int, limit: int) -> str:
    return f"{size} bytes of result; the limit is {limit}. Store it elsewhere and return its address"
