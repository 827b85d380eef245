"""The handlers that a bench's worker runs: they answer, and do nothing else."""

from __future__ import annotations

from rota.face.app import App

ECHO, ECHO_PLAIN = "rota.bench.echo", "rota.bench.echo_plain"

app = App()


@app.task(name=ECHO)
async def echo(n: int, pad: str = "") -> int:
    """Answers at once, on the worker's loop. For `rota bench`."""
    return n


@app.task(name=ECHO_PLAIN)
def echo_plain(n: int, pad: str = "") -> int:
    """Answers at once, in a thread or a process. For `rota bench`."""
    return n
