"""The caller of a request: its address, its identity and roles, and the owner that limits and decisions know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g

from cimaster.common import caller_address
from cimaster.common.parsers import Network
from cimaster.pool import Caller
from cimaster.pool.decisions import fair_shares
from cimaster.web.identity.identity import Identity
from cimaster.web.identity.roles import Role


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
    """Return the address of the caller of a WSGI request; empty if there is none, as on a UNIX socket."""
    connected = str(environ.get("REMOTE_ADDR") or "")
    return caller_address.of(connected, str(environ.get("HTTP_X_FORWARDED_FOR", "")), trusted)


def owner() -> str:
    """Return the owner that limits and decisions count the current request for.

    Without an identity that is a hash of the caller's address; for IPv6, of its /64 network, which one host usually has
    for itself.
    """
    sender = current()
    if sender.identity:
        return sender.identity.owner
    return fair_shares.owner_hash(f"address {caller_address.network(sender.address)}")


def caller() -> Caller:
    """Return the caller of the current request, as decisions compare it with owners."""
    roles = current().roles
    is_admin = Role.ADMIN in roles
    return Caller(owner(), is_admin, adds_only_requested=Role.PROVISIONER in roles and not is_admin)
