"""Owners: how the pool recognizes the caller that took a lease, waits with a ticket or sent a request.

With an identity, the owner is `@` and the caller's name, and decisions compare it. Without one (`auth = open`), it is a
hash of the caller's address, which only limits use.
"""

from cimaster.common.texts import folded

_VERIFIED = "@"
_SERVICE_ACCOUNT = "system:serviceaccount:"


def of_identity(name: str) -> str:
    """Return the owner for an authenticated caller."""
    return _VERIFIED + folded(name)


def is_verified(owner: str) -> bool:
    """Say whether an owner is an authenticated caller, so that others may not act on what it has."""
    return owner.startswith(_VERIFIED)


def label(name: str) -> str:
    """Return a caller's name as pages and sentences show it: `e2e.ci` for the service account e2e of namespace ci."""
    if not name.startswith(_SERVICE_ACCOUNT):
        return name
    namespace, _, account = name.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return f"{account}.{namespace}"
