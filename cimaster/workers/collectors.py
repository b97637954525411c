"""Metrics that are computed from the snapshot at each scrape: a scrape never reads the store."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cimaster.pool import Pool
from cimaster.pool.decisions import archiving
from cimaster.pool.records.cluster import DEFAULT_PURPOSE, VACANT
from cimaster.pool.records.ticket import LONG_AGO
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.waiting_room import WaitingRoom
from cimaster.workers.lifecycle import Lifecycle

_MAX_PURPOSES = 50
_OTHER = "other"


def _purpose_label(pool: Pool) -> Callable[[str], str]:
    """Return a function from purpose to label: `other` unless the purpose is common in the inventory.

    Callers can invent purposes, and each label creates a time series.
    """
    counted = Counter(cluster.purpose for cluster in pool.clusters if not cluster.fault)
    known = {DEFAULT_PURPOSE, *(purpose for purpose, _ in counted.most_common(_MAX_PURPOSES)), ""}
    return lambda purpose: purpose if purpose in known else _OTHER


class PoolCollector(Collector):
    """Clusters, creations and the state of the store. All replicas report the same: take the maximum over them."""

    def __init__(self, repository: ConfigMapRepository) -> None:
        self._repository = repository

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield self._clusters()
        yield self._creations()
        trouble = self._repository.trouble
        yield _gauge("snapshot_age_seconds", "Seconds since the store confirmed the snapshot", self._repository.age)
        yield _gauge("store_usable", "1 while the store can be read and written", trouble is None)
        yield _gauge(
            "clock_right",
            "0 while our clock and the store's differ so much that nothing expires here",
            self._repository.clock_is_right,
        )
        yield _gauge("changes_waiting", "Changes waiting to be written", self._repository.pending)
        cut = self._repository.store.watches_cut
        yield CounterMetricFamily(
            "cimaster_watches_cut", "Watches of the store that ended right after they started", value=cut
        )
        yield from self._history()
        newest = self._repository.newest
        yield _gauge("commit", "Number of the newest change in the snapshot", newest.commit if newest else 0)

    def _history(self) -> Iterator[Metric]:
        pool, now = self._pool, self._repository.now()
        waiting = archiving.age(pool, now).total_seconds()
        yield _gauge("history_unarchived_changes", "Changes that are not archived yet", len(pool.history))
        yield _gauge("history_unarchived_seconds", "Age of the oldest change that is not archived yet", waiting)
        broken = len(self._repository.history_ring.trouble)
        yield _gauge("archive_objects_unusable", "Objects of the archive of history that cannot be used", broken)
        yield CounterMetricFamily(
            "cimaster_history_lost", "Changes that were dropped before they could be archived", value=pool.archive.lost
        )

    @property
    def _pool(self) -> Pool:
        newest = self._repository.newest
        return newest.pool if newest else Pool()

    def _clusters(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("cimaster_clusters", "Clusters by state and purpose", labels=("state", "purpose"))
        pool = self._pool
        label = _purpose_label(pool)
        counted = Counter((c.state, label("" if c.fault else c.purpose)) for c in pool.clusters)
        # A purpose without a vacant cluster shows 0, so that graphs have no gap where it matters most.
        counted.update({(VACANT, label(c.purpose)): 0 for c in pool.clusters if not c.fault})
        for labels, count in sorted(counted.items()):
            family.add_metric(labels, count)
        return family

    def _creations(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "cimaster_creations_now", "Creations by state and purpose", labels=("state", "purpose")
        )
        pool = self._pool
        label = _purpose_label(pool)
        counted = Counter((c.state, label(c.purpose)) for c in pool.creations if c.is_shown)
        for labels, count in sorted(counted.items()):
            family.add_metric(labels, count)
        return family


class QueueCollector(Collector):
    """The queue for clusters. All replicas report the same queue; each reports its own connected callers."""

    def __init__(self, repository: ConfigMapRepository, waiting: WaitingRoom) -> None:
        self._repository, self._waiting = repository, waiting

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        newest, now = self._repository.newest, self._repository.now()
        pool = newest.pool if newest else Pool()
        queue, label = [ticket for ticket in pool.queue if not ticket.fault], _purpose_label(pool)
        family = GaugeMetricFamily("cimaster_queue", "Tickets by purpose and priority", labels=("purpose", "priority"))
        for labels, count in sorted(
            Counter((label(t.criteria.purpose or DEFAULT_PURPOSE), t.priority) for t in queue).items()
        ):
            family.add_metric(labels, count)
        yield family
        longest = max((now - ticket.since for ticket in queue if ticket.since != LONG_AGO), default=timedelta())
        yield _gauge("queue_oldest_seconds", "How long the oldest ticket has waited", longest.total_seconds())
        yield _gauge("callers_kept", "Callers that are waiting, connected to this replica", self._waiting.connected)


class ReadinessCollector(Collector):
    """The conditions of /readyz for this replica, so that an alert can name the one that fails."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric."""
        family = GaugeMetricFamily(
            "cimaster_ready", "1 for each condition of /readyz that this replica meets", labels=("check",)
        )
        for name, check in self._lifecycle.checks().items():
            family.add_metric((name,), float(check()))
        yield family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"cimaster_{name}", text, value=float(value))
