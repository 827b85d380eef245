"""Where a node may listen without a token, and without TLS: on loopback, and nowhere else."""

from __future__ import annotations

import ipaddress
import shlex
from pathlib import Path

from rota.model.errors import RefusesToStart


def is_loopback(host: str) -> bool:
    """Whether an address to bind is loopback. A name other than localhost is not: what it resolves to may change."""
    bare = host.strip("[]").partition("%")[0]
    if bare.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def check_bind(host: str, has_token: bool, tls: bool, behind_tls_proxy: bool, data: Path | None = None) -> None:
    """Raises RefusesToStart (`unsafe_bind`) for an address that others can reach, where a token or TLS lacks.

    `has_token`: one that somebody has made, and that holds; the first token, which the node makes, does not count.
    """
    make = f"make a token first: rota token create admin --role admin{_where(data)}"
    if behind_tls_proxy and not has_token:
        raise RefusesToStart(
            f"behind a proxy anybody may come through it, and no token is set; {make} (or give --token-file FILE), "
            "or leave --behind-tls-proxy off and listen on 127.0.0.1",
            code="unsafe_bind",
        )
    if is_loopback(host):
        return
    if not has_token:
        raise RefusesToStart(
            f"{host or 'every address'} can be reached from other machines, and no token is set; {make} "
            "(or give --token-file FILE), or listen on 127.0.0.1",
            code="unsafe_bind",
        )
    if not tls and not behind_tls_proxy:
        raise RefusesToStart(
            f"{host or 'every address'} can be reached from other machines, and tokens would travel unencrypted: "
            "give --tls-cert and --tls-key, or --behind-tls-proxy where a proxy does TLS",
            code="unsafe_bind",
        )


def _where(data: Path | None) -> str:
    return "" if data is None else f" --data {shlex.quote(str(data))}"
