"""The visitor of a page, and the snapshot of the pool that they see."""

import functools
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flask import g

from cimaster.common.texts import same_person
from cimaster.errors import StoreTrouble
from cimaster.pages.frame import addresses, cookies
from cimaster.pool.records import owners
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.ticket import Ticket
from cimaster.repository.snapshots import Snapshot
from cimaster.web import access, callers
from cimaster.web.components import components
from cimaster.web.identity.roles import Role

_ROLES_OF_A_PERSON = frozenset({Role.READER, Role.PERSON})


@dataclass(frozen=True)
class Visitor:
    """The person at a page. Rows that look the same to others too are rendered without the `name`.

    `roles` are plain texts, because visitors are hashed for each row. `is_verified`: an identity says who they are.
    `admins` are those whom sentences name to a visitor that is no admin; empty where a visitor who gave such a name
    would be believed.
    """

    name: str = ""
    roles: tuple[str, ...] = ()
    is_named: bool = False
    is_verified: bool = False
    admins: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether this visitor is an admin."""
        return Role.ADMIN in self.roles

    @property
    def may_read(self) -> bool:
        """Whether this visitor may see clusters at all."""
        return Role.READER in self.roles

    def may(self, role: Role) -> bool:
        """Whether this visitor has a role."""
        return role in self.roles

    @functools.cached_property
    def without_name(self) -> "Visitor":
        """Any visitor with the same roles, to whom most rows look the same."""
        return replace(self, name="")

    @property
    def label(self) -> str:
        """The name as pages show it."""
        return owners.label(self.name)

    def holds(self, cluster: Cluster) -> bool:
        """Whether this visitor holds the cluster."""
        return bool(self.name and cluster.hold and cluster.hold.is_of(self.name))

    def shares(self, cluster: Cluster) -> bool:
        """Whether another person holds the cluster and shares it with this visitor."""
        hold = cluster.hold
        return bool(self.name and hold and hold.may_be_changed_by(self.name) and not hold.is_of(self.name))

    def owns_ticket(self, ticket: Ticket) -> bool:
        """Whether this visitor waits with the ticket, or a job that they triggered does."""
        return bool(self.name) and same_person(ticket.criteria.by, self.name)


def current_visitor() -> Visitor:
    """Return the visitor of the current request."""
    sender = callers.current()
    if g.get("visitor_is_of") is not sender:
        g.visitor, g.visitor_is_of = _visitor(), sender
    visitor: Visitor = g.visitor
    return visitor


def _visitor() -> Visitor:
    name = own_name()
    roles = _roles(name)
    admins = "" if access.is_open() or Role.ADMIN in roles else access.admins_text()
    ordered = tuple(role.value for role in Role if role in roles)
    return Visitor(name, ordered, bool(name), not access.is_open(), admins)


def _roles(name: str) -> frozenset[Role]:
    """Return the roles of the visitor. Where names are believed, only an admin's makes a difference."""
    if not access.is_open():
        return callers.current().roles
    return frozenset(Role) if name and access.is_admin(name) else _ROLES_OF_A_PERSON


def own_name() -> str:
    """Return the name under which the visitor acts: that of their identity, or the one that they gave; may be empty."""
    if access.is_open():
        return cookies.name()
    identity = callers.current().identity
    return identity.name if identity else ""


def tag() -> str:
    """Return a text for the header of requests that is different for each visitor; empty where names are not verified.

    A page sends it, so that a page that another person opened in the same browser is noticed.
    """
    identity = callers.current().identity
    return (
        hashlib.blake2s(identity.owner.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest() if identity else ""
    )


def source() -> str:
    """Return the kind of credential that says who the visitor is; empty if there is none."""
    identity = callers.current().identity
    return identity.source if identity else ""


def can_sign_in() -> bool:
    """Say whether the service makes sessions for browsers."""
    authentication = components().authentication
    return authentication is not None and authentication.sessions is not None


def latest(at_least: int = 0) -> Snapshot:
    """Return the snapshot to show: never older than what the browser has seen, unless the store was restored.

    While the store fails this is the last good state; StoreTrouble if there is none.
    """
    service = components().clusters
    seen = max(at_least, cookies.seen())
    if service.repository.trouble:
        return service.view()
    if service.repository.newest is None:
        return service.view_now()  # the process has just started, and its watcher has read nothing yet
    try:
        snapshot = service.view(seen if service.may_exist(seen) else at_least)
    except StoreTrouble:
        return service.view()
    if snapshot.commit < seen and "seen" not in g:
        cookies.remember(seen=snapshot.commit)  # a fresh read is older: the store was restored
    return snapshot


def warnings() -> list[tuple[str, str]]:
    """Return what is wrong with the store or the clock, as pairs of a heading and a sentence."""
    repository = components().clusters.repository
    found = []
    if trouble := repository.trouble:  # which another thread may end at any moment
        advice = "These pages show the last known state, and changes fail until the store is back"
        found.append(("The store cannot be used.", f"{trouble}. {advice}"))
    if not repository.clock_is_right:
        sentence = "this replica's clock is more than 10 s off the store's, so it ends no lease or hold"
        sentence += " until an operator corrects the clock"
        found.append(("The clocks differ.", sentence))
    return found


def last_confirmed() -> datetime | None:
    """Return when the store last confirmed that the snapshot is the newest; None if there is no snapshot."""
    repository = components().clusters.repository
    return components().clusters.now() - timedelta(seconds=repository.age) if repository.newest else None


def fragment_tag(snapshot: Snapshot, *shown: object) -> str:
    """Return the tag of a fragment: `<commit>.<hash>`, the same on all replicas.

    The hash covers what is `shown` and not the commit; the commit tells other replicas how far to read.
    """
    facts = (addresses.version(), warnings(), current_visitor(), *shown)
    digest = hashlib.blake2s(repr(facts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{snapshot.commit}.{digest}"


@functools.lru_cache(8192)
def element_id(reference: str) -> str:
    """Return an HTML id for a cluster or another record; its name may have any characters."""
    return "c-" + hashlib.sha256(reference.encode("utf-8", "surrogatepass")).hexdigest()[:12]
