"""Handlers that do everything to let a secret out: one in the variable named by `name`, or one that came sealed."""

from __future__ import annotations

import logging
import os

from rota import App, Cancel, Context, Retry, Secret

app = App()


def _known(name: str) -> str:
    return os.environ.get(name, "(it is not there)")


def _leak(ctx: Context, secret: str, how: str) -> None:
    ctx.progress(0.5, f"note {secret}")
    ctx.log.info("ctx.log %s", secret)
    logging.getLogger("handler").warning("logging %s", secret)
    if how == "raise":
        raise ValueError(f"raised {secret}")
    if how == "retry":
        raise Retry(after=0, message=f"retry {secret}")
    if how == "cancel":
        raise Cancel(f"cancel {secret}")


@app.task
def in_thread(ctx: Context, name: str, how: str) -> None:
    _leak(ctx, _known(name), how)


@app.task
async def in_loop(ctx: Context, name: str, how: str) -> None:
    _leak(ctx, _known(name), how)


@app.task(isolation="process")
def in_process(ctx: Context, name: str, how: str) -> None:
    _leak(ctx, _known(name), how)


@app.task(isolation="process")
def said(ctx: Context, text: str) -> None:
    """An isolated handler that learnt the secret elsewhere."""
    ctx.log.info("said %s", text)
    raise ValueError(f"said {text}")


@app.task(isolation="process")
def environment() -> dict[str, str]:
    """What an isolated handler finds."""
    return dict(os.environ)


@app.task
def sealed_in_thread(ctx: Context, password: Secret[str], how: str) -> None:
    _leak(ctx, password.reveal(), how)


@app.task
async def sealed_in_loop(ctx: Context, password: Secret[str], how: str) -> None:
    _leak(ctx, password.reveal(), how)


@app.task(isolation="process")
def sealed_in_process(ctx: Context, password: Secret[str], how: str) -> None:
    _leak(ctx, password.reveal(), how)


@app.task(isolation="process")
def exchange(password: Secret[str]) -> Secret[str]:
    """A secret for a secret."""
    return Secret(password.reveal()[::-1])
