"""Owners: which caller a lease, ticket, creation or request belongs to, and which caller may change it or see its id.

An owner is a text. `@alice` or `@system:serviceaccount:ci:e2e` is a verified name; any other text, such as the hash of
an address in open mode, only counts towards limits. Only verified owners are compared.
"""

from dataclasses import dataclass

from cimaster.common.texts import folded
from cimaster.errors import NotOwner

_VERIFIED = "@"
_SERVICE_ACCOUNT = "system:serviceaccount:"


def of_name(name: str) -> str:
    """Return the owner for the verified name of a caller."""
    return _VERIFIED + folded(name)


def is_verified(owner: str) -> bool:
    """Say whether an owner is the verified name of a caller."""
    return owner.startswith(_VERIFIED)


def label(owner: str) -> str:
    """Return a verified owner as sentences name it: `alice`, or `e2e.ci` for a service account."""
    name = owner.removeprefix(_VERIFIED)
    namespace, separator, account = name.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return f"{account}.{namespace}" if separator and name.startswith(_SERVICE_ACCOUNT) else name


def scoped(request_id: str, owner: str) -> str:
    """Return the id of a request within the process: unlike the id that was sent, it is unique among all owners.

    A request id has no blanks, so the two parts are never confused.
    """
    return f"{request_id} {owner}" if request_id and is_verified(owner) else request_id


def shown(scoped_id: str) -> str:
    """Return the id of a request as its caller sent it."""
    return scoped_id.partition(" ")[0]


@dataclass(frozen=True)
class Caller:
    """The caller of a request, as decisions compare it with owners.

    Without a verified owner it is any caller in open mode, or the service itself; it is then not compared. With
    `adds_only_requested` it may add only clusters that a creation asked for.
    """

    owner: str = ""
    is_admin: bool = False
    adds_only_requested: bool = False

    @property
    def sees_all(self) -> bool:
        """Whether this caller sees the ids of all leases and tickets."""
        return self.is_admin or not is_verified(self.owner)

    def sees(self, owned_by: str) -> bool:
        """Say whether this caller sees the ids of a lease or ticket of that owner."""
        return self.sees_all or owned_by == self.owner

    def may_change(self, owned_by: str) -> bool:
        """Say whether this caller may end or change what has that owner."""
        return not is_verified(owned_by) or self.sees(owned_by)


UNVERIFIED = Caller()
"""A caller that is not compared with owners."""


def check_owner(owned_by: str, caller: Caller, what: str, action: str) -> None:
    """Refuse an action on what belongs to another caller, unless an admin requests it."""
    if caller.may_change(owned_by):
        return
    owner = label(owned_by)
    raise NotOwner(f"{what} belongs to {owner}: ask {owner} or an admin to {action}", owner=owner)
