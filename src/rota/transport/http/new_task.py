"""A task as it is asked for in JSON: one flat object, and what it means to the engine."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

from rota.client.task_id import new_id
from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Options
from rota.model.submission import Submission
from rota.transport.http.values import YEAR, Id, Instant, microseconds, read_body_id, read_instant

NULL = Raw(b"null")
MAX_BATCH = 1_000
MAX_WAIT = 60


Text = Annotated[str, Meta(max_length=256)]
Wait = Annotated[float, Meta(ge=0, le=YEAR)]
"""Seconds, as those below."""
Run = Annotated[float, Meta(ge=0.001, le=YEAR)]
Start = Annotated[float, Meta(ge=0.001, le=10 * YEAR)]
FarOff = Annotated[float, Meta(ge=0, le=10 * YEAR)]


def _null() -> Raw:
    return NULL


class NewTask(Struct, forbid_unknown_fields=True, frozen=True):
    """A task to be accepted. What is not said is as the method's worker declares it, else as the node has it."""

    method: Annotated[str, Meta(description="The name by which a worker's handler is called.", max_length=128)]
    params: Annotated[Raw, Meta(description="Any JSON value, null by default; a node never looks inside.")] = field(
        default_factory=_null
    )
    id: Id | None = None
    version: (
        Annotated[int, Meta(ge=1, le=2**31 - 1, description="Only a worker of this version may run it.")] | None
    ) = None
    target: Annotated[Text, Meta(description="The id of the one worker that may run it.")] | None = None
    labels: (
        Annotated[
            dict[str, Annotated[str, Meta(max_length=256)]],
            Meta(description="For people, to find tasks by: up to 32, of 256 bytes each."),
        ]
        | None
    ) = None
    idempotency_key: (
        Annotated[
            Text, Meta(description="As the header Idempotency-Key, which wins; in a batch each task may have its own.")
        ]
        | None
    ) = None
    after: (
        Annotated[
            list[Id],
            Meta(max_length=1_000, description="Ids of tasks that must have ended before this one starts."),
        ]
        | None
    ) = None
    on_parent_failure: Annotated[
        Literal["fail", "run"], Meta(description="What becomes of it where one of `after` does not succeed.")
    ] = "fail"
    batch: (
        Annotated[Text, Meta(description="A name under which tasks are counted together: `GET /batches/{name}`.")]
        | None
    ) = None
    group: Annotated[Text, Meta(description="Only workers of this group may run it.")] | None = None
    priority: Annotated[int, Meta(ge=-9, le=9, description="Higher goes first; a step is worth a minute.")] | None = (
        None
    )
    retries: Annotated[int, Meta(ge=0, le=1_000, description="How often a failed try is repeated.")] | None = None
    retry_delay: Annotated[Wait, Meta(description="The wait before the second try. Seconds.")] | None = None
    retry_backoff: (
        Annotated[float, Meta(ge=1, le=100, description="Each further wait is so many times the last.")] | None
    ) = None
    retry_max_delay: Annotated[Wait, Meta(description="No wait is longer. Seconds.")] | None = None
    retry_jitter: Annotated[float, Meta(ge=0, le=1, description="The share of a wait that chance may take.")] | None = (
        None
    )
    retry_on: Annotated[list[str], Meta(max_length=100, description="Exception classes that are retried.")] | None = (
        None
    )
    give_up_on: Annotated[list[str], Meta(max_length=100, description="Exception classes that are final.")] | None = (
        None
    )
    timeout: Annotated[Run, Meta(description="How long one try may run. Seconds.")] | None = None
    expires: (
        Annotated[Start, Meta(description="If it has not started so long after it was accepted, it expires. Seconds.")]
        | None
    ) = None
    delay: Annotated[FarOff, Meta(description="Start no sooner than so long after now. Seconds.")] | None = None
    run_at: Annotated[Instant, Meta(description="Start no sooner; an instant in the past means now.")] | None = None
    result_ttl: Annotated[FarOff, Meta(description="How long it is kept when it has ended. Seconds.")] | None = None
    unique_key: Annotated[Text, Meta(description="Only one unended task may hold it; see `unique_mode`.")] | None = None
    order_key: (
        Annotated[Text, Meta(description="Tasks of one key run one at a time, in the order they were accepted.")] | None
    ) = None
    unique_mode: (
        Annotated[
            Literal["return", "reject", "replace"],
            Meta(description="Where the unique key is held: answer its holder, refuse, or take its place."),
        ]
        | None
    ) = None
    debounce: (
        Annotated[FarOff, Meta(description="Start so long after the last submit of the unique key. Seconds.")] | None
    ) = None
    concurrency_key: (
        Annotated[Text, Meta(description="Of the tasks that bear it, `concurrency_limit` run at once.")] | None
    ) = None
    concurrency_limit: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class NewTasks(Struct, forbid_unknown_fields=True, frozen=True):
    """Several tasks: all are accepted, or none."""

    tasks: Annotated[list[NewTask], Meta(min_length=1, description="1 to 1,000.")]


class Execute(NewTask, forbid_unknown_fields=True, frozen=True):
    """A task, and how long its outcome is waited for."""

    wait: Annotated[float, Meta(ge=0, le=MAX_WAIT, description="Seconds to wait for the outcome.")] | None = None


_NAMES = tuple(Options.__dataclass_fields__)
_options_said = attrgetter(*_NAMES)
_NOTHING_SAID = (None,) * len(_NAMES)
_SPANS = frozenset(
    {"retry_delay", "retry_max_delay", "timeout", "expires", "delay", "result_ttl", "debounce"} & set(_NAMES)
)


def submission_of(new: NewTask, path: str = "", key: str | None = None, trace: str = "") -> Submission:
    """What the engine is asked for. Raises InvalidInput for ids and instants that are none.

    `path`: where the task stands in the body. `key`: the Idempotency-Key of the request.
    """
    said = _options_said(new)
    return Submission(
        new_id() if new.id is None else read_body_id(new.id, f"{path}id"),
        new.method,
        bytes(new.params),
        NO_OPTIONS if said == _NOTHING_SAID else _options(said, path),
        new.idempotency_key if key is None else key,
        new.version,
        tuple(sorted(new.labels.items())) if new.labels else (),
        new.target,
        tuple(read_body_id(text, f"{path}after[{place}]") for place, text in enumerate(new.after)) if new.after else (),
        new.on_parent_failure,
        new.batch,
        trace,
    )


def submissions_of(tasks: list[NewTask], trace: str = "") -> list[Submission]:
    """Of a batch. Raises InvalidInput for the first wrong one, or for too many (`batch_too_large`, a 413)."""
    if len(tasks) > MAX_BATCH:
        raise InvalidInput.at(
            "tasks", "batch_too_large", f"{len(tasks)} tasks; a batch has up to {MAX_BATCH}. Send several batches"
        )
    return [submission_of(new, f"tasks[{place}].", None, trace) for place, new in enumerate(tasks)]


def _options(said: tuple[Any, ...], path: str) -> Options:
    values: dict[str, Any] = {}
    for name, value in zip(_NAMES, said, strict=True):
        if value is None:
            continue
        if name in _SPANS:
            value = microseconds(value)
        elif name == "run_at":
            value = read_instant(value, f"{path}run_at")
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    return Options(**values)
