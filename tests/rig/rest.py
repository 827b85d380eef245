"""A client of the HTTP API as simple as can be: the standard library's, or a bare socket."""

from __future__ import annotations

import contextlib
import json
import socket
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        return self.json["code"]

    @property
    def paths(self) -> list[str]:
        """Of a problem: the wrong places."""
        return [error["path"] for error in self.json["errors"]]


class Rest:
    """Below /api/v1 of a node; a connection for each request."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """`body`: bytes go as they are, everything else as JSON."""
        said = {} if body is None else dict(JSON)
        if self.token is not None:
            said["Authorization"] = f"Bearer {self.token}"
        said.update(headers or {})
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = HTTPConnection(self.host, self.port, timeout=70)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was answered before all was sent
                connection.request(method, f"/api/v1{path}", sent, said)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("POST", path, body, headers)

    def raw(self, sent: bytes, within: float = 10.0) -> bytes:
        """Everything that comes back until the node closes."""
        with socket.create_connection((self.host, self.port), timeout=within) as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(sent)
            return _all_of(sock)


def _all_of(sock: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65_536):
            got += chunk
    return got
