"""The rows of the live table: a poll gets those that the browser does not show yet, and stubs for the others.

The tag that the browser sends with a poll ends with a fingerprint of each row that it shows. So any replica can answer,
whether or not it has answered that browser before, and no replica remembers what it has sent.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import request
from markupsafe import Markup

from cimaster.pages.clusters import cluster_rows
from cimaster.pages.clusters.cluster_rows import RowLayout
from cimaster.pages.frame.visitors import Visitor
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.pool import Pool

_MOST_FINGERPRINTS = 400  # rows; the header of a request has room for no more
_SEPARATOR = "."


@dataclass(frozen=True)
class LiveRows:
    """The rows that a table shows to a visitor, in its order."""

    pool: Pool
    clusters: Sequence[Cluster]
    visitor: Visitor
    now: datetime
    layout: RowLayout

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def fingerprints(self) -> str:
        """The fingerprints of all rows, one after the other."""
        return "".join(self._fingerprint(cluster) for cluster in self.clusters)

    def tagged(self, tag: str) -> str:
        """Return a tag that changes with the rows; up to a number of them, it says which rows the browser shows."""
        fingerprints = self.fingerprints
        if len(self) > _MOST_FINGERPRINTS:
            fingerprints = hashlib.blake2s(fingerprints.encode(), digest_size=8).hexdigest()
        return f"{tag}{_SEPARATOR}{fingerprints}"

    def rendered(self) -> Iterator[Markup]:
        """Yield each row as HTML."""
        return (self._rendered(cluster) for cluster in self.clusters)

    def changed(self) -> Iterator[Markup]:
        """Yield the rows that the browser does not show as HTML, and a stub for each of the others."""
        shown = _shown_by_browser()
        for cluster in self.clusters:
            if self._fingerprint(cluster) in shown:
                yield cluster_rows.stub(self.pool, cluster)
            else:
                yield self._rendered(cluster)

    def _rendered(self, cluster: Cluster) -> Markup:
        return cluster_rows.rendered(self.pool, cluster, self.visitor, self.now, self.layout)

    def _fingerprint(self, cluster: Cluster) -> str:
        return cluster_rows.fingerprint(self.pool, cluster, self.visitor, self.now)


def _shown_by_browser() -> frozenset[str]:
    """Return the fingerprints of the rows that the browser shows, as its poll says."""
    fingerprints = request.headers.get("HX-PTag", "").rpartition(_SEPARATOR)[2]
    size = cluster_rows.FINGERPRINT_LENGTH
    return frozenset(fingerprints[start : start + size] for start in range(0, len(fingerprints), size))
