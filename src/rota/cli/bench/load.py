"""The load itself, and the proof that every task ended once with its own result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count

from rota.cli.bench.handlers import ECHO, ECHO_PLAIN
from rota.cli.bench.plan import IN_FLIGHT, Plan
from rota.cli.output import Output
from rota.cli.progress import Steps, steps
from rota.client.call import Call, to_wire
from rota.client.client import AsyncClient
from rota.client.payload import encode
from rota.client.said import read_options
from rota.client.views import Outcome
from rota.model.errors import RotaError

Figures = dict[str, float]
_KEPT_FOR = 60
"""Seconds that ended tasks stay on a node that others use too."""
_PORTION = 1_000


class Load:
    """Submits, waits, measures. Whatever it submits it also asks the result of."""

    def __init__(self, plan: Plan, client: AsyncClient, out: Output) -> None:
        self._plan, self._client, self._out = plan, client, out
        self._method = ECHO if plan.isolation == "async" else ECHO_PLAIN
        self._pad = "x" * plan.payload
        said = {"group": plan.group, "result_ttl": _KEPT_FOR} if plan.group else {}
        self._options = to_wire(read_options(said))
        self._numbers = count()
        self._open: dict[str, int] = {}
        self.ended = 0

    @property
    def began(self) -> bool:
        """The node has taken tasks."""
        return bool(self._open) or self.ended > 0

    # --- the parts of a run

    async def first(self, start_worker: Callable[[], None]) -> float:
        """Seconds from the start of the worker until its first task has ended; submitted before."""
        await self._submit()
        began = time.perf_counter()
        start_worker()
        await self._settle(_Silent())
        return time.perf_counter() - began

    async def warm_up(self) -> None:
        await self._bulk(self._plan.warm_up, _Silent())
        await self._settle(_Silent())

    async def round(self) -> Figures:
        """Every figure once."""
        return {**await self._throughput(), **await self._singles(), **await self._round_trips()}

    async def clean_up(self) -> None:
        """Takes back what has not ended: a run that was stopped leaves no work behind."""
        async with asyncio.timeout(10):
            unended = [task.id async for task in self._client.list(group=self._plan.group, states="unended")]
            for some in _portions(unended):
                await self._client.cancel_many(some, "the bench was stopped")

    async def prove(self) -> None:
        """On a node of our own: it counted no task more, and none less. Raises RotaError."""
        figures = await self._client.stats()
        held = {state: number for state, number in figures.tasks.items() if number}
        if held != {"succeeded": self.ended} or figures.finished != self.ended:
            raise _inexact(f"of {self.ended} tasks the node has {held}, and finished {figures.finished}")

    # --- what is measured

    async def _throughput(self) -> Figures:
        tasks = self._plan.tasks
        began = time.perf_counter()
        with steps(self._out, "submitted", tasks) as bar:
            await self._bulk(tasks, bar)
        submitted = time.perf_counter()
        with steps(self._out, "ended", tasks) as bar:
            ended = await self._settle(bar)
        return {"bulk_submit_per_s": tasks / (submitted - began), "end_to_end_per_s": tasks / (ended - began)}

    async def _singles(self) -> Figures:
        one, many = self._plan.one_by_one, self._plan.side_by_side
        apart = await self._timed(lambda: self._in_flight(one, 1))
        together = await self._timed(lambda: self._in_flight(many, IN_FLIGHT))
        await self._settle(_Silent())
        return {"submit_one_by_one_per_s": one / apart, "submit_in_flight_per_s": many / together}

    async def _round_trips(self) -> Figures:
        took: list[float] = []
        for _ in range(self._plan.one_by_one):
            number, made = self._next()
            began = time.perf_counter()
            outcome = await self._client.execute_call(made, _patience(1))
            took.append((time.perf_counter() - began) * 1e3)
            self._check(outcome, number)
        took.sort()
        return {"execute_p50_ms": took[len(took) // 2], "execute_p99_ms": took[int(len(took) * 0.99)]}

    async def _timed(self, act: Callable[[], Awaitable[None]]) -> float:
        began = time.perf_counter()
        await act()
        return time.perf_counter() - began

    # --- submits and their ends

    def _next(self) -> tuple[int, Call]:
        number = next(self._numbers)
        params = {"n": number, "pad": self._pad} if self._pad else {"n": number}
        return number, Call(self._method, encode(params), self._options)

    async def _submit(self) -> None:
        number, made = self._next()
        self._keep((await self._client.submit_call(made)).id, number)

    async def _in_flight(self, tasks: int, at_once: int) -> None:
        left = iter(range(tasks))

        async def submitter() -> None:
            for _ in left:
                await self._submit()

        await asyncio.gather(*(submitter() for _ in range(at_once)))

    async def _bulk(self, tasks: int, bar: Steps) -> None:
        numbers: list[int] = []

        def calls() -> Iterable[Call]:
            for _ in range(tasks):
                number, made = self._next()
                numbers.append(number)
                if len(numbers) % _PORTION == 0:
                    bar.advance(_PORTION)
                yield made

        for receipt, number in zip(await self._client.submit_many(calls()), numbers, strict=True):
            if receipt.refusal is not None:
                raise receipt.refusal
            self._keep(receipt.id, number)

    def _keep(self, task_id: str, number: int) -> None:
        if task_id in self._open:
            raise _inexact(f"two submits were answered with the task {task_id}")
        self._open[task_id] = number

    async def _settle(self, bar: Steps) -> float:
        """Waits for everything that was submitted, then checks it; answers when the last outcome came."""
        outcomes: list[Outcome] = []
        async for outcome in self._client.wait_many(list(self._open), _patience(len(self._open))):
            outcomes.append(outcome)
            if len(outcomes) % _PORTION == 0:
                bar.advance(_PORTION)
        ended = time.perf_counter()
        for outcome in outcomes:
            if outcome.id not in self._open:
                raise _inexact(f"the task {outcome.id} ended twice")
            self._check(outcome, self._open.pop(outcome.id))
        if self._open:
            raise _inexact(f"{len(self._open)} tasks never ended")
        return ended

    def _check(self, outcome: Outcome, number: int) -> None:
        if not outcome.ok or outcome.value() != number:
            raise _inexact(
                f"the task {outcome.id} should have returned {number}; it is {outcome.state}: {outcome.raw!r}"
            )
        self.ended += 1


class _Silent:
    """For what is short."""

    def advance(self, count: int, total: int | None = None) -> None:
        return


def _patience(tasks: int) -> float:
    """Seconds: far more than any machine needs."""
    return 60 + tasks / 50


def _inexact(words: str) -> RotaError:
    return RotaError(f"the delivery was not exact, so that this run has no figures: {words}", code="bench_inexact")


def _portions(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _PORTION] for start in range(0, len(ids), _PORTION))
