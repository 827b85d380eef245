"""Handlers that do nothing but answer."""

from rota import App

app = App()


@app.task
async def echo(n: int) -> int:
    return n


@app.task
def echo_thread(n: int) -> int:
    return n
