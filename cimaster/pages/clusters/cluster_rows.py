"""A cluster as pages show it: its user, the reason, the times, and the buttons for the visitor."""

import base64
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import render_template
from markupsafe import Markup

from cimaster.pages.clusters import cluster_actions, health_marks
from cimaster.pages.clusters.health_marks import HealthMark
from cimaster.pages.frame import addresses, outside_links
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.visitors import Visitor, element_id
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.holding import holder_of
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, IMAGE_PURPOSE, Cluster
from cimaster.pool.records.health import QUARANTINED
from cimaster.pool.records.pool import Pool

FINGERPRINT_LENGTH = 5


@dataclass(frozen=True)
class Use:
    """The user of a cluster, the reason, and for how long; `no_end_text` is shown if a lease or hold has no end.

    `job` and `holder` are what to filter by for more clusters of the same job or person; `job_url` is the page of the
    job in the CI system.
    """

    by: str = ""
    on_behalf_of: str = ""
    reason: str = ""
    since: datetime | None = None
    ends: datetime | None = None
    no_end_text: str = ""
    job: str = ""
    holder: str = ""
    job_url: str = ""


@dataclass(frozen=True)
class Row:
    """What the dashboard, the inventory and the page of a cluster show of it."""

    id: str
    reference: str
    cluster: Cluster
    name: str
    use: Use
    flags: tuple[tuple[str, str], ...]
    health: HealthMark
    is_mine: bool
    is_shared: bool
    actions: tuple[Action, ...]
    menu: tuple[Action, ...]

    @property
    def state(self) -> str:
        """The state, as in lists and filters."""
        return self.cluster.state

    @property
    def state_words(self) -> str:
        """The state in words; of a cluster that is checked or cleaned, how far that is."""
        return descriptions.check_progress(self.cluster) if self.is_checking else self.state

    @property
    def details(self) -> str:
        """What a row says in its column of reasons, in full: there may be no room for all of it."""
        progress = self.state_words if self.is_checking else ""
        return "; ".join(filter(None, (progress, *(words for _, words in self.flags), self.use.reason)))

    @property
    def is_checking(self) -> bool:
        """Whether it is being checked or cleaned, or waits for that."""
        return self.state == CHECKING

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a check or clean that no replica has begun."""
        return self.is_checking and not self.cluster.check_claimed_by

    @property
    def shows_image(self) -> bool:
        """Whether the row shows the OS image: jobs request it only for this purpose."""
        return bool(self.cluster.osimage) and self.cluster.purpose == IMAGE_PURPOSE


Buttons = Callable[[Cluster, Visitor], list[Action]]


@dataclass(frozen=True)
class RowLayout:
    """How a table shows a cluster: the template of its rows, their buttons, and the actions in their menu."""

    template: str
    buttons: Buttons
    menu: Buttons


ON_DASHBOARD = RowLayout("fragments/row.html", cluster_actions.for_row, cluster_actions.for_menu)
IN_INVENTORY = RowLayout(
    "fragments/inventory_row.html", cluster_actions.for_inventory, cluster_actions.for_inventory_menu
)


def row(pool: Pool, cluster: Cluster, visitor: Visitor, now: datetime, layout: RowLayout = ON_DASHBOARD) -> Row:
    """Return a cluster of the pool as a visitor sees it."""
    return _row(cluster, pool.reference(cluster), visitor, now, pool.rules.overdue_after, layout)


def _row(
    cluster: Cluster,
    reference: str,
    visitor: Visitor,
    now: datetime,
    overdue_after: timedelta,
    layout: RowLayout,
) -> Row:
    return Row(
        id=element_id(reference),
        reference=reference,
        cluster=cluster,
        name=cluster.name or cluster.name_as_written or "unnamed record",
        use=use(cluster),
        flags=_flags(cluster, now, overdue_after),
        health=health_marks.mark(cluster),
        is_mine=visitor.holds(cluster),
        is_shared=visitor.shares(cluster),
        actions=tuple(layout.buttons(cluster, visitor)),
        menu=tuple(layout.menu(cluster, visitor)),
    )


def use(cluster: Cluster) -> Use:
    """Return the user of a cluster, the reason, and for how long."""
    if cluster.state == BROKEN:
        return Use(reason=cluster.fault)
    if lease := cluster.lease:
        no_end = "" if lease.expires else "no end set"
        return Use(
            descriptions.occupant(cluster),
            lease.by,
            since=lease.acquired,
            ends=lease.expires,
            no_end_text=no_end,
            job=lease.job,
            job_url=outside_links.of_build(lease.job, lease.build),
        )
    if cluster.state == QUARANTINED:
        return Use(cluster.health.by, reason=cluster.health.reason, since=cluster.health.since)
    if cluster.state == DISABLED:
        return Use(cluster.disabled_by, reason=cluster.disabled_reason)
    if hold := cluster.hold:
        no_end = "" if hold.expires else "no end set"
        return Use(descriptions.occupant(cluster), "", hold.desc, hold.since, hold.expires, no_end, holder=hold.by)
    return Use(since=cluster.vacant_since)


def _flags(cluster: Cluster, now: datetime, overdue_after: timedelta) -> tuple[tuple[str, str], ...]:
    """Return what to show beside the state, as pairs of an icon and a text."""
    if cluster.state == BROKEN:
        return ()
    flags = [("alert", problem) for problem in descriptions.unreadable_fields(cluster)]
    if descriptions.overdue(cluster, now, overdue_after):
        flags.append(("clock", "overdue"))
    if cluster.hold and cluster.lease:
        flags.append(("lock", f"then held by {holder_of(cluster)}"))
    elif cluster.hold and cluster.state in (DISABLED, QUARANTINED):
        flags.append(("lock", f"held by {holder_of(cluster)}{descriptions.until(cluster.hold.expires)}"))
    if cluster.hold and cluster.hold.shared_with:
        flags.append(("people", f"shared with {', '.join(cluster.hold.shared_with)}"))
    if cluster.disabled and cluster.lease:
        reason = f": {cluster.disabled_reason}" if cluster.disabled_reason else ""
        flags.append(("pause", f"then disabled{reason}"))
    elif cluster.disabled and cluster.state == QUARANTINED:
        flags.append(("pause", "also disabled"))
    if cluster.checking and cluster.state != CHECKING:
        flags.append(("turn" if cluster.check_claimed_by else "clock", descriptions.check_progress(cluster)))
    return tuple(flags)


def rendered(pool: Pool, cluster: Cluster, visitor: Visitor, now: datetime, layout: RowLayout) -> Markup:
    """Return a row of a table as HTML, cached for up to 15 s for all visitors to whom it looks the same."""
    about_now = now.replace(second=now.second // 15 * 15, microsecond=0)
    viewer = _viewer(cluster, visitor)
    return _rendered(cluster, pool.reference(cluster), viewer, about_now, pool.rules.overdue_after, layout)


def stub(pool: Pool, cluster: Cluster) -> Markup:
    """Return an element in place of a row that the browser shows already: it stays as it is."""
    return Markup('<tr id="{}" data-same></tr>').format(element_id(pool.reference(cluster)))


def fingerprint(pool: Pool, cluster: Cluster, visitor: Visitor, now: datetime) -> str:
    """Return characters that differ if the row does; that time passes does not count."""
    is_overdue = descriptions.overdue(cluster, now, pool.rules.overdue_after)
    return _fingerprint(cluster, pool.reference(cluster), _viewer(cluster, visitor), is_overdue)


@functools.lru_cache(16384)
def _fingerprint(cluster: Cluster, reference: str, viewer: Visitor, is_overdue: bool) -> str:
    facts = repr((addresses.version(), reference, cluster.digest, viewer, is_overdue)).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hashlib.blake2s(facts, digest_size=4).digest()).decode()[:FINGERPRINT_LENGTH]


def _viewer(cluster: Cluster, visitor: Visitor) -> Visitor:
    """Return the visitor without the name, if the row looks the same to others."""
    return visitor if visitor.holds(cluster) or visitor.shares(cluster) else visitor.without_name


@functools.lru_cache(4096)
def _rendered(
    cluster: Cluster,
    reference: str,
    viewer: Visitor,
    now: datetime,
    overdue_after: timedelta,
    layout: RowLayout,
) -> Markup:
    row = _row(cluster, reference, viewer, now, overdue_after, layout)
    html = render_template(layout.template, row=row, visitor=viewer, now=now)
    return Markup(html)  # noqa: S704 the template escapes
