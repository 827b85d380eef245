"""Where a node may listen without a token, and without TLS: on loopback, and nowhere else."""

from __future__ import annotations

import ipaddress

from rota.model.errors import RefusesToStart


def is_loopback(host: str) -> bool:
    """Whether an address to bind is loopback. A name other than localhost is not: what it resolves to may change."""
    bare = host.strip("[]").partition("%")[0]
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def check_bind(host: str, has_token: bool, tls: bool, behind_tls_proxy: bool) -> None:
    """Raises RefusesToStart (`unsafe_bind`) for an address that others can reach, where a token or TLS lacks."""
    if behind_tls_proxy and not has_token:
        raise RefusesToStart(
            "behind a proxy anybody may come through it: make a token first (--token-file FILE), "
            "or leave --behind-tls-proxy off and listen on 127.0.0.1",
            code="unsafe_bind",
        )
    if is_loopback(host):
        return
    if not has_token:
        raise RefusesToStart(
            f"{host or 'every address'} can be reached from other machines, and no token is set: "
            "set one (--token-file FILE), or listen on 127.0.0.1",
            code="unsafe_bind",
        )
    if not tls and not behind_tls_proxy:
        raise RefusesToStart(
            f"{host or 'every address'} can be reached from other machines, and tokens would travel unencrypted: "
            "give --tls-cert and --tls-key, or --behind-tls-proxy where a proxy does TLS",
            code="unsafe_bind",
        )
