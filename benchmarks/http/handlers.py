"""What the worker of the HTTP benchmark offers."""

from __future__ import annotations

from rota import App

app = App()


@app.task
async def noop() -> None:
    """Does nothing."""
