"""One cluster as pages tell of it: who has it, why, since when, how long still, and what can be done."""

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import render_template
from markupsafe import Markup

from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.visitors import Visitor, element_id
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.holding import holder_of
from cimaster.pool.records.cluster import BROKEN, DISABLED, IMAGE_PURPOSE, Cluster
from cimaster.pool.records.pool import Pool


@dataclass(frozen=True)
class Row:
    """What a table row, an inventory row and the top of a cluster's page have in common."""

    id: str
    reference: str
    cluster: Cluster
    name: str
    used_by: str = ""
    on_behalf_of: str = ""
    reason: str = ""
    since: datetime | None = None
    ends: datetime | None = None
    no_end_text: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    is_mine: bool = False
    actions: tuple[Action, ...] = ()

    @property
    def state(self) -> str:
        """The state, as lists and filters call it."""
        return self.cluster.state

    @property
    def shows_image(self) -> bool:
        """Whether jobs ask for the image of clusters like this one; of others only their own page tells it."""
        return bool(self.cluster.osimage) and self.cluster.purpose == IMAGE_PURPOSE


def row(pool: Pool, cluster: Cluster, visitor: Visitor, now: datetime) -> Row:
    """Describe a cluster of the pool to a visitor."""
    return described(cluster, pool.reference(cluster), visitor, now, pool.rules.overdue_after)


def described(cluster: Cluster, named: str, visitor: Visitor, now: datetime, overdue_after: timedelta) -> Row:
    """Describe a cluster to a visitor."""
    common = Row(
        element_id(named),
        named,
        cluster,
        cluster.name or cluster.name_as_written or "unnamed record",
        flags=_flags(cluster, now, overdue_after),
        is_mine=visitor.holds(cluster),
        actions=tuple(action_buttons.for_row(cluster, visitor)),
    )
    return Row(**{**vars(common), **_situation(cluster)})


def _situation(cluster: Cluster) -> dict[str, object]:
    if cluster.state == BROKEN:
        return {"reason": cluster.fault}
    if lease := cluster.lease:
        return {
            "used_by": descriptions.occupant(cluster),
            "on_behalf_of": lease.by,
            "since": lease.acquired,
            "ends": lease.expires,
            "no_end_text": "" if lease.expires else "no end set",
        }
    if cluster.state == DISABLED:
        return {"used_by": cluster.disabled_by, "reason": cluster.disabled_reason}
    if hold := cluster.hold:
        return {
            "used_by": descriptions.occupant(cluster),
            "reason": hold.desc,
            "since": hold.since,
            "ends": hold.expires,
            "no_end_text": "" if hold.expires else "no end set",
        }
    return {"since": cluster.vacant_since}


def _flags(cluster: Cluster, now: datetime, overdue_after: timedelta) -> tuple[tuple[str, str], ...]:
    """Return what lies on the cluster beside its state: an icon and words each."""
    if cluster.state == BROKEN:
        return ()
    flags = [("alert", told) for told in descriptions.unreadable_fields(cluster)]
    if descriptions.overdue(cluster, now, overdue_after):
        flags.append(("clock", "overdue"))
    if cluster.hold and cluster.lease:
        flags.append(("lock", f"then held by {holder_of(cluster)}"))
    elif cluster.hold and cluster.disabled:
        flags.append(("lock", f"held by {holder_of(cluster)}{descriptions.until(cluster.hold.expires)}"))
    if cluster.disabled and cluster.lease:
        flags.append(
            ("pause", f"then disabled: {cluster.disabled_reason}" if cluster.disabled_reason else "then disabled")
        )
    return tuple(flags)


def rendered(pool: Pool, cluster: Cluster, visitor: Visitor, now: datetime) -> Markup:
    """Return the table row as HTML; drawn once for all to whom it looks the same, anew every 15 s."""
    sees = Visitor(visitor.name if visitor.holds(cluster) else "", visitor.is_admin, visitor.is_named)
    about_now = now.replace(second=now.second // 15 * 15, microsecond=0)
    return _rendered(cluster, pool.reference(cluster), sees, about_now, pool.rules.overdue_after)


@functools.lru_cache(4096)
def _rendered(cluster: Cluster, named: str, sees: Visitor, now: datetime, overdue_after: timedelta) -> Markup:
    row = described(cluster, named, sees, now, overdue_after)
    return Markup(render_template("fragments/row.html", row=row, visitor=sees, now=now))  # noqa: S704 the template escapes
