"""`Node(…)` for programs takes what the command line takes."""

from datetime import timedelta
from pathlib import Path

import pytest

from rota import Node
from rota.model.errors import InvalidInput


def test_settings_are_given_by_name_and_in_their_form() -> None:
    node = Node(data="d", http_port=9000, lease_ttl="45s", closed_lease_ttl=timedelta(seconds=2), behind_tls_proxy=True)
    said = node.settings
    assert (said.data, said.http_port, said.lease_ttl, said.closed_lease_ttl, said.behind_tls_proxy) == (
        Path("d"),
        9000,
        45_000_000,
        2_000_000,
        True,
    )


def test_variables_fill_in_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTA_HTTP_PORT", "9001")
    monkeypatch.setenv("ROTA_DURABILITY", "relaxed")
    node = Node(http_port=9002)
    assert (node.settings.http_port, node.settings.durability) == (9002, "relaxed")


def test_every_wrong_setting_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        Node(htp_port=1, datta="x")
    assert [fault.path for fault in refused.value.errors] == ["datta", "htp_port"]
    with pytest.raises(InvalidInput):
        Node(lease_ttl="1s", heartbeat="10s")
