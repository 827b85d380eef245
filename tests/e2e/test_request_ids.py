"""A request's id, from the caller over the answer into the node's log: at the HTTP door, over links, and over gRPC."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from processes import House, free_port, house

from rota.access.failed_logins import MOST

SECRET = "Req1d-only-long-random-words-here-20261121"
WRONG = "Wr0ng-only-long-random-words-here-20261121"


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        tokens = tmp_path / "tokens"
        tokens.touch(0o600)
        tokens.write_text(f"admin {SECRET}\n")
        made.grpc_port = free_port()  # type: ignore[attr-defined]
        made.start_node(
            "--token-file", str(tokens), "--log-format", "json", "--grpc", "on", "--grpc-port", str(made.grpc_port)
        )
        yield made


def asked(url: str, request_id: str | None, token: str = WRONG) -> tuple[int, str, Any]:
    headers = {"Authorization": f"Bearer {token}"} | ({"X-Request-Id": request_id} if request_id else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers["x-request-id"], None
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-request-id"], json.loads(error.read())


def logged(where: House) -> list[str]:
    """The ids of the lines that tell of too many wrong tokens."""
    assert where.node is not None
    lines = [json.loads(line) for line in where.node.log.read_text().splitlines() if line.startswith("{")]
    return [line.get("request_id", "") for line in lines if "wrong tokens" in line["event"]]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/nope", "/api/v1/tasks", "/api/v1/nope"])
def test_every_answer_has_the_callers_id_or_a_new_one(where: House, path: str) -> None:
    status, said, body = asked(where.url + path, "my-id/1")
    assert said == "my-id/1"
    if status >= 400:
        assert body["request_id"] == "my-id/1"
    first, second = (asked(where.url + path, bad)[1] for bad in (None, "x" * 200))
    assert len(first) == len(second) == 16
    assert first != second


def test_the_log_has_the_id_of_the_request(where: House) -> None:
    for number in range(MOST):
        assert asked(f"{where.url}/api/v1/tasks", f"try-{number}")[0] == 401
    assert logged(where) == [f"try-{MOST - 1}"]


def test_the_log_has_the_id_of_a_call_over_grpc(where: House) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{where.grpc_port}") as channel:  # type: ignore[attr-defined]
        call = channel.unary_unary("/rota.v1.Tasks/Get")
        for number in range(MOST):
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", metadata=[("authorization", f"Bearer {WRONG}"), ("x-request-id", f"call-{number}")])
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert logged(where) == [f"call-{MOST - 1}"]
