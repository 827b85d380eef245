"""What is set for the node, a group or a method: pause, limits of concurrency, of rate, and of a group's depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rota.model.control import Control, Rate, Scope
from rota.model.errors import InvalidInput
from rota.transport import verbs
from rota.transport.http.route import OPERATORS, READERS, Handler, Reply, Request, Route
from rota.transport.http.task_calls import NoBody
from rota.transport.http.values import Instant, instant_or_none, microseconds, seconds

NO_GROUP = "-"
"""In addresses: the tasks without a group."""
_DAY = 24 * 3600


class RateView(Struct, forbid_unknown_fields=True, frozen=True):
    """So many starts in each period, evenly or in a burst."""

    count: Annotated[int, Meta(ge=1, le=1_000_000)]
    period: Annotated[float, Meta(ge=0.001, le=_DAY, description="Seconds.")] = 1.0


class ControlView(Struct, frozen=True):
    """What is set for one scope."""

    scope: Literal["node", "group", "method"]
    name: Annotated[str, Meta(description="Empty for the node, and for the tasks without a group.")]
    paused: bool
    note: str
    concurrency: Annotated[int | None, Meta(description="Tasks of the scope that run at once.")]
    rate: Annotated[RateView | None, Meta(description="Starts of the scope.")]
    key_rate: Annotated[RateView | None, Meta(description="Starts for each concurrency key in it.")]
    max_queued: Annotated[
        int | None, Meta(description="Tasks of the group that have not ended; more are refused as `queue_full`.")
    ]
    changed_at: Instant | None
    changed_by: str


class Controls(Struct, frozen=True):
    controls: list[ControlView]


class PauseBody(Struct, forbid_unknown_fields=True, frozen=True):
    note: Annotated[str, Meta(max_length=1_000, description="Why, for people.")] = ""


class LimitsBody(Struct, forbid_unknown_fields=True, frozen=True):
    """What is not said stays; null takes a limit away."""

    concurrency: Annotated[int, Meta(ge=1, le=1000000)] | UnsetType | None = UNSET
    rate: RateView | UnsetType | None = UNSET
    key_rate: RateView | UnsetType | None = UNSET
    max_queued: (
        Annotated[int, Meta(ge=1, le=1_000_000_000, description="For a group only: tasks that have not ended.")]
        | UnsetType
        | None
    ) = UNSET


def control_view(control: Control) -> ControlView:
    return ControlView(
        control.scope.value,
        control.name,
        control.paused,
        control.note,
        control.concurrency,
        _rate_view(control.rate),
        _rate_view(control.key_rate),
        control.max_queued,
        instant_or_none(control.changed_at or None),
        control.changed_by,
    )


def control_name(scope: Scope, said: str) -> str:
    """As the model has it: `-` is the group of the tasks without one."""
    return "" if scope is Scope.GROUP and said == NO_GROUP else said


async def list_controls(request: Request) -> Reply:
    return Reply(Controls([control_view(control) for control in await request.verbs.controls()]))


def _pause(scope: Scope) -> Handler:
    async def handle(request: Request) -> Reply:
        name = control_name(scope, request.path.get("name", ""))
        return _shown(await request.verbs.set_control(scope, name, paused=True, note=request.body.note))

    return handle


def _resume(scope: Scope) -> Handler:
    async def handle(request: Request) -> Reply:
        name = control_name(scope, request.path.get("name", ""))
        return _shown(await request.verbs.set_control(scope, name, paused=False))

    return handle


def _limit(scope: Scope) -> Handler:
    async def handle(request: Request) -> Reply:
        body: LimitsBody = request.body
        if (body.concurrency, body.rate, body.key_rate, body.max_queued) == (UNSET, UNSET, UNSET, UNSET):
            raise InvalidInput.at("", "missing_field", "the body says none of concurrency, rate, key_rate, max_queued")
        return _shown(
            await request.verbs.set_control(
                scope,
                control_name(scope, request.path.get("name", "")),
                concurrency=_count(body.concurrency),
                max_queued=_count(body.max_queued),
                rate=_rate(body.rate),
                key_rate=_rate(body.key_rate),
            )
        )

    return handle


def _shown(control: Control) -> Reply:
    return Reply(control_view(control))


def _count(said: int | UnsetType | None) -> int | verbs.Unset | None:
    return verbs.UNSET if isinstance(said, UnsetType) else said


def _rate(said: RateView | UnsetType | None) -> Rate | verbs.Unset | None:
    if isinstance(said, UnsetType):
        return verbs.UNSET
    return None if said is None else Rate(said.count, microseconds(said.period))


def _rate_view(rate: Rate | None) -> RateView | None:
    return None if rate is None else RateView(rate.count, seconds(rate.period))


_MAKE: tuple[tuple[str, str, Callable[[Scope], Handler], type[Struct], bool, str], ...] = (
    ("POST", "pause", _pause, PauseBody, False, "Start no more tasks of {}"),
    ("POST", "resume", _resume, NoBody, False, "Start tasks of {} again"),
    ("PATCH", "limits", _limit, LimitsBody, True, "Set limits for {}"),
)
_PLACES = (
    (Scope.NODE, "/node", "node", "the whole node"),
    (Scope.GROUP, "/groups/{name}", "groups", "a group"),
    (Scope.METHOD, "/methods/{name}", "methods", "a method"),
)
_HELD = (
    "Tasks that are held back stay ready, in their place, and spend no attempt. `-` is the group of tasks without one."
)
ROUTES = [
    Route("GET", "/controls", READERS, list_controls, "All that is paused or limited", "node", {200: Controls}),
    *(
        Route(
            method,
            f"{place}/{word}",
            OPERATORS,
            make(scope),
            summary.format(what),
            tag,
            {200: ControlView},
            (400, 403, 415, 422),
            body=body,
            body_needed=needed,
            about=_HELD if scope is Scope.GROUP else "",
            examples=({"concurrency": 10, "rate": {"count": 100, "period": 1}},) if word == "limits" else (),
        )
        for scope, place, tag, what in _PLACES
        for method, word, make, body, needed, summary in _MAKE
    ),
]
