"""The description of the API, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from rota.transport.http.docs_page import HTML, SAFE_FOR_THE_PAGE, render
from rota.transport.http.openapi import describe
from rota.transport.http.route import READERS, Reply, Request, Route


def routes_for(routes: Callable[[], Iterable[Route]]) -> list[Route]:
    """The routes that describe all routes, themselves included. Made when it is first asked for."""

    @cache
    def description() -> dict[str, Any]:
        return describe(routes())

    @cache
    def as_json() -> bytes:
        return msgspec.json.encode(description())

    @cache
    def as_page() -> bytes:
        return render(description()).encode()

    async def read_description(_: Request) -> Reply:
        return Reply(as_json())

    async def read_page(_: Request) -> Reply:
        return Reply(as_page(), media_type=HTML, safe=SAFE_FOR_THE_PAGE)

    return [
        Route(
            "GET",
            "/openapi.json",
            READERS,
            read_description,
            "This description, OpenAPI 3.1",
            "description",
            {200: dict[str, Any]},
        ),
        Route(
            "GET",
            "/docs",
            READERS,
            read_page,
            "This description, as a page",
            "description",
            {200: str},
            media_types=("text/html",),
        ),
    ]
