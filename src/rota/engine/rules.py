"""What a submission may say: the rules of the bad-input table that hold at every door."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.errors import Fault, InvalidInput
from rota.model.method import UNIQUE_MODES, Options
from rota.model.names import check_name
from rota.model.retry import SECOND
from rota.model.submission import Submission
from rota.model.task import HIGHEST_PRIORITY, LOWEST_PRIORITY

_YEAR = 366 * 24 * 3600 * SECOND
MAX_RETRIES = 1_000
MAX_KEY_BYTES = 256
MAX_LABELS = 32
MAX_PARENTS = 1_000
MAX_CONCURRENCY = 1_000_000
MAX_VERSION = 2**31 - 1
MAX_TRACE = 128


def check_options(options: Options, said: Options, path: str, now: int) -> None:
    """`options` are those of the submit (`said`) filled up with the declared ones. Raises InvalidInput with every fault."""
    faults = [*_out_of_range(options, path, now), *_at_odds(options, said, path)]
    if faults:
        raise InvalidInput.all_of(faults)
    if options.group is not None:
        check_name(options.group, f"{path}.group")
    for key in ("unique_key", "order_key", "concurrency_key"):
        if (value := getattr(options, key)) is not None:
            check_key(value, f"{path}.{key}")


def _out_of_range(options: Options, path: str, now: int) -> list[Fault]:
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
    within("debounce", options.debounce, 1_000, _YEAR)
    within("result_ttl", options.result_ttl, 0, 10 * _YEAR)
    within("run_at", options.run_at, 0, now + 10 * _YEAR)
    within("concurrency_limit", options.concurrency_limit, 1, MAX_CONCURRENCY)
    return faults


def _at_odds(options: Options, said: Options, path: str) -> list[Fault]:
    """Options that do not go together."""
    faults: list[Fault] = []
    if options.delay is not None and options.run_at is not None:
        faults.append(Fault(f"{path}.delay", "both_given", "give delay or run_at, not both"))
    mode = options.unique_mode
    if mode is not None and mode not in UNIQUE_MODES:
        faults.append(
            Fault(f"{path}.unique_mode", "unknown_mode", f"{mode[:64]!r} is none of {', '.join(UNIQUE_MODES)}")
        )
    if options.debounce is not None:
        faults += _debounce_faults(options, said, path)
    if said.concurrency_limit is not None and options.concurrency_key is None:
        words = "it limits the tasks of a concurrency key: give one"
        faults.append(Fault(f"{path}.concurrency_limit", "needs_concurrency_key", words))
    return faults


def _debounce_faults(options: Options, said: Options, path: str) -> list[Fault]:
    faults: list[Fault] = []
    if options.unique_key is None:
        words = "it waits for the last submit of a unique key: give one"
        faults.append(Fault(f"{path}.debounce", "needs_unique_key", words))
    if options.delay is not None or options.run_at is not None:
        words = "it says when the task starts: give no delay or run_at with it"
        faults.append(Fault(f"{path}.debounce", "both_given", words))
    if said.debounce is not None and said.unique_mode not in (None, "replace"):
        words = "with debounce each new task replaces the one that waits: leave unique_mode away"
        faults.append(Fault(f"{path}.unique_mode", "both_given", words))
    return faults


def run_at_of(options: Options, now: int) -> int | None:
    """The instant at which it may start; one that is past means now."""
    delay = options.delay if options.debounce is None else options.debounce
    return now + delay if delay is not None else options.run_at


def check_submission(submission: Submission, path: str) -> None:
    """What it says beside its method, params and options."""
    check_lane(submission, path)
    check_labels(submission.labels, f"{path}.labels")
    check_parents(submission, path)
    if submission.batch is not None:
        check_name(submission.batch, f"{path}.batch")


def check_lane(submission: Submission, path: str) -> None:
    """The pinned version and the worker that a task is bound to."""
    if submission.version is not None and not 1 <= submission.version <= MAX_VERSION:
        words = f"{submission.version} is not from 1 to {MAX_VERSION}"
        raise InvalidInput.at(f"{path}.version", "out_of_range", words)
    if submission.target is not None:
        check_key(submission.target, f"{path}.target")


def check_labels(labels: Sequence[tuple[str, str]], path: str) -> None:
    if len(labels) > MAX_LABELS:
        raise InvalidInput.at(path, "too_many_labels", f"{len(labels)} labels; a task has at most {MAX_LABELS}")
    if len({name for name, _ in labels}) < len(labels):
        raise InvalidInput.at(path, "duplicate_label", "a label is given twice; each name has one value")
    for name, value in labels:
        check_name(name, path)
        if len(value.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
            raise InvalidInput.at(f"{path}.{name}", "too_long", f"at most {MAX_KEY_BYTES} bytes a label")
        if not value.isprintable():
            raise InvalidInput.at(f"{path}.{name}", "invalid_label", "a label's value is printable text, on one line")


def check_parents(submission: Submission, path: str) -> None:
    """What it comes after. Whether these tasks are there the store knows."""
    after = submission.after
    if len(after) > MAX_PARENTS:
        words = f"{len(after)} tasks; at most {MAX_PARENTS}. Put a task between that comes after some of them"
        raise InvalidInput.at(f"{path}.after", "too_many_parents", words)
    if any(len(parent) != 16 for parent in after):
        raise InvalidInput.at(f"{path}.after", "invalid_id", "a task id is 16 bytes, a UUID")
    if submission.id in after:
        raise InvalidInput.at(f"{path}.after", "after_itself", "a task cannot come after itself")
    if len(set(after)) < len(after):
        raise InvalidInput.at(f"{path}.after", "duplicate_parent", "a task is named twice; name each once")
    if submission.on_parent_failure not in ("fail", "run"):
        words = f"{submission.on_parent_failure[:64]!r} is neither fail nor run"
        raise InvalidInput.at(f"{path}.on_parent_failure", "unknown_mode", words)


def trace_of(submission: Submission) -> str:
    """A trace that cannot be one is forgotten: it is no reason to refuse a task."""
    trace = submission.trace
    return trace if not trace or (len(trace) <= MAX_TRACE and trace.isascii() and trace.isprintable()) else ""


def check_key(value: str, path: str) -> None:
    if not 0 < len(value.encode("utf-8", "surrogatepass")) <= MAX_KEY_BYTES or not value.isprintable():
        raise InvalidInput.at(path, "invalid_key", f"a key is 1 to {MAX_KEY_BYTES} bytes of printable text")
