"""The address of a caller, which a trusted proxy reports in the header X-Forwarded-For."""

import functools
import ipaddress
from collections.abc import Sequence

from cimaster.common.parsers import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def of(connected: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the address of the caller of a connection; empty if there is none, as on a UNIX socket.

    The X-Forwarded-For header of a trusted proxy is read from its end up to the first address that is not a trusted
    proxy's: the caller may have forged all entries before that. (Werkzeug's ProxyFix trusts a fixed number of entries
    instead, from any address.)
    """
    caller = parsed(connected)
    if caller is None:
        return connected
    for entry in reversed(forwarded_for.split(",")):
        forwarded = parsed(_without_port(entry.strip())) if any(caller in network for network in trusted) else None
        if forwarded is None:
            break
        caller = forwarded
    return str(caller)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Say whether one of the networks has an address; none has what is no address."""
    found = parsed(address)
    return found is not None and any(found in network for network in networks)


def network(address: str) -> str:
    """Return what limits count an address as: itself, or its /64 network, which one host usually has for itself."""
    found = parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(found), 64), strict=False))  # without a scope such as %eth0
    return str(found) if found else address


@functools.lru_cache(4096)
def parsed(text: str) -> Address | None:
    """Return the address that a text names, None if it names none; of an IPv4-mapped one, the IPv4 address."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _without_port(entry: str) -> str:
    """Return the address of `192.0.2.1:4711` or `[2001:db8::1]:4711`, as some proxies write it."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
