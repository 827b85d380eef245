"""Tasks in: one, several, or one whose outcome is waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from msgspec import Meta, Struct, structs

from rota.contract.store import Receipt
from rota.model.errors import Fault, InvalidInput, RotaError
from rota.model.text import task_id_text
from rota.transport.asgi import Scope, header, headers
from rota.transport.http.body import digested
from rota.transport.http.new_task import Execute, NewTask, NewTasks, submission_of, submissions_of
from rota.transport.http.route import CALLERS, MAX_BATCH_BODY, MAX_TASK_BODY, PREFIX, Reply, Request, Route
from rota.transport.http.task_views import Outcome
from rota.transport.http.values import Id
from rota.transport.http.waiting import OneEnd
from rota.transport.verbs import Verbs

MAX_KEY = 255
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY_ABOUT = {
    "Idempotency-Key": "1 to 255 printable ASCII characters of the caller's own. Sent again with the same task it answers "
    "the same id; with another task, 409 `idempotency_key_reused`. Kept for a day. For one task, not for `tasks`."
}


class Accepted(Struct, frozen=True, omit_defaults=False):
    """A task that is kept: it survives the node's death from here on."""

    id: Id
    duplicate: Annotated[bool, Meta(description="It was there before: the same id, idempotency key or unique key.")] = (
        False
    )
    warning: Annotated[
        str | None, Meta(description="`no_worker_for_method`: nobody has offered the method yet, so it waits.")
    ] = None


class AllAccepted(Struct, frozen=True):
    """In the order they were sent."""

    tasks: list[Accepted]


async def submit(request: Request) -> Reply:
    body, scope = request.body, request.scope
    if not isinstance(body, NewTasks):
        return _located(await submit_one(request.verbs, body, _idempotency_key(scope), _trace(scope)))
    if header(scope, b"idempotency-key") is not None:
        raise InvalidInput.at(
            "Idempotency-Key",
            "invalid_idempotency_key",
            "the header is for one task; in `tasks` give each its own `idempotency_key`",
        )
    receipts = await submit_several(request.verbs, body.tasks, _trace(scope))
    return Reply(AllAccepted([accepted(each) for each in receipts]), 202)


async def execute(request: Request) -> Reply:
    body: Execute = request.body
    key, trace = _idempotency_key(request.scope), _trace(request.scope)
    if not body.wait:
        return _located(await submit_one(request.verbs, body, key, trace))
    waiter = OneEnd()
    receipt, wait = await submit_one(request.verbs, body, key, trace, waiter), body.wait
    del body
    request.body = None
    digested(request.scope)
    outcome = await waiter.within(wait, request.verbs, request.receive, request.lobby)
    return _located(receipt) if outcome is None else Reply(marked(outcome, receipt))


async def submit_one(
    verbs: Verbs, new: NewTask, key: str | None = None, trace: str = "", waiter: OneEnd | None = None
) -> Receipt:
    """After COMMIT. Raises what refuses it, with the paths of the body."""
    return taken((await verbs.submit((submission_of(new, "", key, trace),), waiter=waiter))[0])


def taken(receipt: Receipt) -> Receipt:
    """The receipt of a task that was accepted, or what refuses it."""
    if receipt.refusal is not None:
        raise _at_their_place(receipt.refusal, "")
    return receipt


async def submit_several(verbs: Verbs, tasks: list[NewTask], trace: str = "") -> list[Receipt]:
    """All, or what refuses them."""
    receipts = await verbs.submit(submissions_of(tasks, trace), atomic=True)
    if any(receipt.refusal is not None for receipt in receipts):
        raise _refusal(receipts)
    return receipts


def accepted(receipt: Receipt) -> Accepted:
    return Accepted(task_id_text(receipt.task_id), receipt.duplicate, receipt.warning or None)


def marked(outcome: Outcome, receipt: Receipt) -> Outcome:
    """The outcome says whether the task was there before."""
    return structs.replace(outcome, duplicate=True) if receipt.duplicate else outcome


def _located(receipt: Receipt) -> Reply:
    shown = accepted(receipt)
    return Reply(shown, 202, ((b"location", f"{PREFIX}/tasks/{shown.id}".encode()),))


# ---------------------------------------------------------------- headers


def _idempotency_key(scope: Scope) -> str | None:
    said = headers(scope, b"idempotency-key")
    if not said:
        return None
    if len(said) > 1 or len(said[0]) > MAX_KEY or _KEY.fullmatch(said[0]) is None:
        raise InvalidInput.at(
            "Idempotency-Key",
            "invalid_idempotency_key",
            f"must be given once, as 1 to {MAX_KEY} printable ASCII characters",
        )
    return said[0]


def _trace(scope: Scope) -> str:
    """A traceparent that is none is as good as none: tracing never refuses a task."""
    said = header(scope, b"traceparent")
    return said if said is not None and _TRACE.fullmatch(said) is not None else ""


# ---------------------------------------------------------------- refusals


def _refusal(receipts: Sequence[Receipt]) -> RotaError:
    """One for the batch: each wrong task by its place; those that were not accepted for it alone are left out."""
    faults: list[Fault] = []
    first: RotaError | None = None
    for place, receipt in enumerate(receipts):
        error = receipt.refusal
        if error is None or error.code == "batch_refused":
            continue
        first = first or error
        placed = _at_their_place(error, f"tasks[{place}]")
        faults += placed.errors or [Fault(f"tasks[{place}]", error.code, error.detail)]
    if first is None:
        return next(receipt.refusal for receipt in receipts if receipt.refusal is not None)
    detail = "no task was accepted: " + "; ".join(f"{each.path}: {each.message}" for each in faults[:10])
    code = first.code if len({each.code for each in faults}) == 1 else "invalid_input"
    kind = type(first) if code == first.code else InvalidInput
    return kind(detail, code=code, errors=tuple(faults))


_PLACE = re.compile(r"^tasks\[\d+\]\.?")


def _at_their_place(error: RotaError, prefix: str) -> RotaError:
    """The paths of intake, where options stand apart, as the paths of a body, where they do not."""
    if not error.errors:
        return error
    faults = []
    for fault in error.errors:
        rest = _PLACE.sub("", fault.path).removeprefix("options.")
        path = f"{prefix}.{rest}" if prefix and rest else prefix or rest
        if rest == "run_at" and fault.code == "out_of_range":
            fault = replace(fault, message="must be an instant from 1970 to ten years from now")
        faults.append(replace(fault, path=path))
    return InvalidInput.all_of(faults) if isinstance(error, InvalidInput) else error


_ONE = {"method": "billing.send-invoice", "params": {"invoice": 4711}}
_SEVERAL = {"tasks": [{"method": "billing.send-invoice", "params": {"invoice": n}} for n in (1, 2)]}
ROUTES = [
    Route(
        "POST",
        "/tasks",
        CALLERS,
        submit,
        "Submit one task, or several",
        "tasks",
        {202: (Accepted, AllAccepted)},
        (400, 403, 409, 413, 415, 422, 429),
        body=(NewTask, NewTasks),
        max_body=MAX_BATCH_BODY,
        headers=_KEY_ABOUT,
        examples=(_ONE, _SEVERAL),
        about='One task as an object, or up to 1,000 as `{"tasks": […]}`: all of them are accepted, or none. The answer '
        "leaves when they are on disk.",
    ),
    Route(
        "POST",
        "/execute",
        CALLERS,
        execute,
        "Submit a task, and wait for its outcome",
        "tasks",
        {200: Outcome, 202: Accepted},
        (400, 403, 409, 413, 415, 422, 429),
        body=Execute,
        max_body=MAX_TASK_BODY,
        headers=_KEY_ABOUT,
        examples=({**_ONE, "wait": 2},),
        about="Without `wait`, or when the time runs out, 202 with the id: the task goes on. 200 is the outcome, good or bad.",
    ),
]
