"""The caller of a request: its address, its identity and roles, and the owner that limits and decisions know."""

import functools
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g

from cimaster.common.parsers import Network
from cimaster.pool import Caller
from cimaster.pool.decisions import fair_shares
from cimaster.web.identity.identity import Identity
from cimaster.web.identity.roles import Role

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Sender:
    """The sender of a request. Without an identity (`auth = open`) only the names that it gives tell what it may do."""

    address: str
    identity: Identity | None = None
    roles: frozenset[Role] = frozenset()


def current() -> Sender:
    """Return the sender of the current request."""
    sender: Sender = g.sender
    return sender


def address(environ: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Return the address of the caller of a WSGI request; empty if there is none, as on a UNIX socket.

    The X-Forwarded-For header of a trusted proxy is read from its end up to the first address that is not a trusted
    proxy's: the caller may have forged all entries before that. (Werkzeug's ProxyFix trusts a fixed number of entries
    instead, from any address.)
    """
    connected = str(environ.get("REMOTE_ADDR") or "")
    caller = _parsed(connected)
    if caller is None:
        return connected
    for entry in reversed(str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")):
        forwarded = _parsed(_without_port(entry.strip())) if any(caller in network for network in trusted) else None
        if forwarded is None:
            break
        caller = forwarded
    return str(caller)


def owner() -> str:
    """Return the owner that limits and decisions count the current request for.

    Without an identity that is a hash of the caller's address; for IPv6, of its /64 network, which one host usually has
    for itself.
    """
    sender = current()
    if sender.identity:
        return sender.identity.owner
    parsed = _parsed(sender.address)
    network = ipaddress.ip_network((parsed, 64), strict=False) if isinstance(parsed, ipaddress.IPv6Address) else parsed
    return fair_shares.owner_hash(f"address {network or sender.address}")


def caller() -> Caller:
    """Return the caller of the current request, as decisions compare it with owners."""
    roles = current().roles
    is_admin = Role.ADMIN in roles
    return Caller(owner(), is_admin, adds_only_requested=Role.PROVISIONER in roles and not is_admin)


@functools.lru_cache(4096)
def _parsed(text: str) -> Address | None:
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
