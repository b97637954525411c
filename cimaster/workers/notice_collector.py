"""The metrics of notices that are not sent yet, computed from the snapshot at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cimaster.notifiers import DefinedChannels
from cimaster.pool import Pool
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services import notice_claims


class NoticeCollector(Collector):
    """The notices in the outbox. All replicas report the same: take the maximum over them."""

    def __init__(self, repository: ConfigMapRepository, channels: DefinedChannels) -> None:
        self._repository, self._channels = repository, channels

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        newest, now = self._repository.newest, self._repository.now()
        pool = newest.pool if newest else Pool()
        waiting = len(pool.outbox.notices)
        yield GaugeMetricFamily("cimaster_notices_pending", "Notices that are not sent yet", value=waiting)
        since = notice_claims.waits_since(pool, self._channels, now) or now
        yield GaugeMetricFamily(
            "cimaster_notices_oldest_seconds",
            "Age of the oldest notice that is not sent, apart from those that wait for quiet hours or a digest",
            value=max((now - since).total_seconds(), 0.0),
        )
