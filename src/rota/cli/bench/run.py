"""One bench from its beginning to its end."""

from __future__ import annotations

import asyncio
import contextlib

from rota.cli.bench.house import House, house
from rota.cli.bench.load import Load
from rota.cli.bench.plan import Plan
from rota.cli.bench.report import Report
from rota.cli.doctor.folder import sync_times
from rota.cli.output import Output
from rota.client.client import AsyncClient
from rota.config import ClientSettings, resolve
from rota.life.loop import new_loop
from rota.model.errors import RotaError


def measured(plan: Plan, out: Output) -> Report:
    """Raises RotaError where a process ends, a task does not end once, or no node can be reached."""
    with house(plan, out) as rig, asyncio.Runner(loop_factory=new_loop) as runner:
        report = Report(plan)
        if not plan.url:
            report.sync_times = sync_times(rig.folder)
            rig.start_node()
            report.note(node_ready_s=rig.node_ready)
        runner.run(_measure(rig, report, out))
        return report


async def _measure(rig: House, report: Report, out: Output) -> None:
    async with _client(rig) as client:
        load = Load(rig.plan, client, out)
        try:
            await rig.beside(_rounds(rig, load, client, report, out))
        except BaseException:
            if rig.plan.url and load.began:
                with contextlib.suppress(RotaError, TimeoutError):
                    await load.clean_up()
            raise


async def _rounds(rig: House, load: Load, client: AsyncClient, report: Report, out: Output) -> None:
    report.note(worker_first_task_s=await load.first(rig.start_worker))
    report.note(node_memory_bytes=(await client.stats()).memory_bytes, worker_memory_bytes=float(rig.worker_memory()))
    await load.warm_up()
    for number in range(rig.plan.repeat):
        if rig.plan.repeat > 1:
            out.note(f"round {number + 1} of {rig.plan.repeat}")
        report.note(**await load.round())
    report.node = await client.stats()
    if not rig.plan.url:
        await load.prove()
    report.note(node_memory_loaded_bytes=report.node.memory_bytes, worker_memory_loaded_bytes=rig.worker_memory())


def _client(rig: House) -> AsyncClient:
    """A node of our own asks for no token, whatever ROTA_TOKEN says for others."""
    if not rig.plan.url:
        return AsyncClient(rig.urls, token="")
    settings = resolve(ClientSettings, {"url": ",".join(rig.urls), "token_file": rig.plan.token_file})
    patience = settings.connect_timeout / 1e6
    return AsyncClient(settings.url, settings.secret(), connect_timeout=patience, tls=settings.tls())
