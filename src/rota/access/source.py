"""Where a caller comes from, as far as limits are concerned."""

from __future__ import annotations

import functools
import ipaddress

_NETWORK_BITS = 64


@functools.lru_cache(4_096)
def source_of(address: str) -> str:
    """An IPv4 address itself; of an IPv6 address its /64, since whoever has one has all of it. Other texts stay as they are."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
