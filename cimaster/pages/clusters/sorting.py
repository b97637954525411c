"""The order of the table of clusters: by a column, or the visitor's own first and then what ends soonest."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cimaster.common.texts import folded
from cimaster.pages.clusters import cluster_rows
from cimaster.pages.frame.visitors import Visitor
from cimaster.pool.records.cluster import STATES, Cluster

_NEVER = datetime.max.replace(tzinfo=UTC)
_DESCENDING = "-"  # begins the name of a column in the URL


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in the URL, its heading, and what it sorts by; None if it cannot be sorted by.

    Rows for which it has no value come last in both directions.
    """

    name: str
    heading: str
    key: Callable[[Cluster], Any] | None = None


def _user(cluster: Cluster) -> str | None:
    return folded(cluster_rows.use(cluster).by) or None


_COMMON = (
    Column("name", "Cluster", lambda cluster: folded(cluster.name_as_written or "") or None),
    Column("state", "State", lambda cluster: STATES.index(cluster.state)),
    Column("health", "Health"),
)
OF_DASHBOARD = (
    *_COMMON,
    Column("by", "By", _user),
    Column("reason", "Reason"),
    Column("since", "Since", lambda cluster: cluster_rows.use(cluster).since),
    Column("left", "Time left", lambda cluster: cluster_rows.use(cluster).ends),
    Column("kind", "Purpose, region"),
)
OF_INVENTORY = (
    *_COMMON,
    Column("purpose", "Purpose", lambda cluster: folded(cluster.purpose)),
    Column("region", "Region", lambda cluster: folded(cluster.region) or None),
    Column("osimage", "OS image", lambda cluster: folded(cluster.osimage) or None),
    Column("labels", "Labels"),
)
_KEYS = {column.name: column.key for column in (*OF_DASHBOARD, *OF_INVENTORY) if column.key}


@dataclass(frozen=True)
class Order:
    """A requested order; without a column, the visitor's own clusters come first, then what ends soonest."""

    column: str = ""
    is_descending: bool = False

    @classmethod
    def parse(cls, text: str) -> "Order":
        """Read the order from the URL; an unknown column counts as none, because a shared link should still work."""
        name = text.removeprefix(_DESCENDING)
        return cls(name, text.startswith(_DESCENDING)) if name in _KEYS else cls()

    def __str__(self) -> str:
        return f"{_DESCENDING if self.is_descending else ''}{self.column}"

    def next_for(self, column: str) -> str:
        """Return the order that a click on the heading of a column requests: ascending, descending, then none."""
        if column != self.column:
            return column
        return "" if self.is_descending else f"{_DESCENDING}{column}"

    def direction(self, column: str) -> str:
        """Return the value of `aria-sort` for the heading of a column; empty unless it is sorted by that."""
        if column != self.column:
            return ""
        return "descending" if self.is_descending else "ascending"

    def of(self, clusters: Iterable[Cluster], visitor: Visitor) -> list[Cluster]:
        """Return the clusters in this order; equal ones are sorted by name."""
        by_name = sorted(clusters, key=lambda cluster: folded(cluster.name_as_written or "\U0010ffff"))
        if not self.column:
            return sorted(by_name, key=lambda cluster: _usual(cluster, visitor))
        key = _KEYS[self.column]
        known = [cluster for cluster in by_name if key(cluster) is not None]
        return [
            *sorted(known, key=key, reverse=self.is_descending),
            *(cluster for cluster in by_name if key(cluster) is None),
        ]


def _usual(cluster: Cluster, visitor: Visitor) -> tuple[bool, datetime]:
    is_own = visitor.holds(cluster) or visitor.shares(cluster)
    return not is_own, cluster_rows.use(cluster).ends or _NEVER
