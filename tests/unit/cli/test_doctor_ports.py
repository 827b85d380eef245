"""The doctor looks at both doors of a node."""

import socket
from collections.abc import Iterator

import pytest

from rota.cli.doctor.network import network_findings
from rota.config import ClientSettings, NodeSettings

NOBODY = ClientSettings(url=("http://127.0.0.1:9",), connect_timeout=100_000)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_grpc_port_that_another_program_holds_is_told_with_the_flag_that_helps(taken: int) -> None:
    found = {each.check: each for each in network_findings(NodeSettings(http_port=0, grpc_port=taken), NOBODY)}
    assert found["port"].level == "ok"
    assert found["grpc port"].level == "bad"
    assert f"127.0.0.1:{taken} is in use" in found["grpc port"].says
    assert "--grpc-port" in found["grpc port"].advice


def test_a_door_that_is_off_is_not_looked_at(taken: int) -> None:
    settings = NodeSettings(http_port=0, grpc_port=taken, grpc="off")
    assert "grpc port" not in {each.check for each in network_findings(settings, NOBODY)}
