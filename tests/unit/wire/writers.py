"""Nouns written into messages, for tests of their reading: the client and the worker fill theirs in their hot paths."""

from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS
from rota.model.report import Held, Report
from rota.model.submission import Submission
from rota.wire.codec import write_error
from rota.wire.codec_options import write_options
from rota.wire.v1 import link_pb2 as pb


def write_submission(submission: Submission, new: pb.NewTask) -> None:
    try:
        new.id = submission.id
        new.method = submission.method
        new.params = submission.params
        if submission.options is not NO_OPTIONS:
            write_options(submission.options, new.options, "")
        if submission.idempotency_key is not None:
            new.idempotency_key = submission.idempotency_key
        if submission.version is not None:
            new.version = submission.version
        if submission.labels:
            new.labels.update(submission.labels)
        if submission.target is not None:
            new.target = submission.target
        if submission.after:
            new.after.extend(submission.after)
            new.on_parent_failure = submission.on_parent_failure
        if submission.batch is not None:
            new.batch = submission.batch
        if submission.trace:
            new.trace = submission.trace
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the task cannot be sent: {error}", code="invalid_task") from error


def write_report(report: Report, result: pb.Result) -> None:
    result.id = report.id
    result.attempt = report.attempt
    result.verdict = report.verdict  # type: ignore[assignment] # the numbers are the wire's
    if report.result:
        result.result = report.result
    if report.failure is not None:
        write_error(report.failure, result.error)
    if report.started_at:
        result.started_at = report.started_at
    if report.ran:
        result.ran = report.ran
    if report.retry_after is not None:
        result.retry_after = report.retry_after


def write_held(held: Held, ref: pb.HeldRef) -> None:
    ref.id = held.id
    ref.attempt = held.attempt
    if held.started_at:
        ref.started_at = held.started_at
