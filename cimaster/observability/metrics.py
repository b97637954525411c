"""The counters and timers of the service, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from cimaster.common.serving.worker_metrics import WorkerMetrics
from cimaster.pool.records.history import AUTOMATIC_EVENTS

_FAST = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_LONG = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_MAX_EVENTS = 60  # more than exist; a history edited by hand may contain any text
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The counters and timers of the service itself; the Flask exporter adds those of HTTP."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.worker = WorkerMetrics(registry, "cimaster")
        self._events: set[str] = set()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cimaster_{name}", text, labels, registry=registry)

        self.allocations = counter(
            "allocations", "Takes by outcome: granted, repeated, or the code of the refusal", "outcome"
        )
        self.changes = counter("changes", "Changes that were written, by event", "event")
        self.expirations = counter("expirations", "Leases and holds that expired, takes that were undone", "what")
        self.conflicts = counter("conflicts", "Writes that lost a race against another writer and were decided again")
        self.answers_lost = counter("answers_lost", "Writes whose answer was lost; a later read shows their outcome")
        self.restores = counter("restores", "Restores of older data into the store")
        self.undone_takes = counter("undone_takes", "Takes undone because their caller never received the name")
        self.unfenced_finishes = counter("unfenced_finishes", "finishtest calls that name no lease, job or build")
        self.unknown_parameters = counter("unknown_parameters", "Unknown parameters in requests", "endpoint")
        self.creations = counter(
            "creations", "Creations by outcome: requested, triggered, or the kind of failed attempt", "outcome"
        )
        self.checks = counter(
            "checks", "Checks and cleans of clusters by outcome: passed, failed or interrupted", "kind", "outcome"
        )
        self.archive_errors = counter("archive_errors", "Failed attempts to move history into the archive")
        self.notices = counter(
            "notices", "Notices by outcome: delivered, failed (and tried again), or given_up", "channel", "outcome"
        )
        self.thread_errors = counter("thread_errors", "Failed rounds of background threads", "thread")
        self.commit_seconds = Histogram(
            "cimaster_commit_seconds", "Time of a write to the store", registry=registry, buckets=_FAST
        )
        self.wait_seconds = Histogram(
            "cimaster_wait_seconds",
            "Time that served callers spent in the queue",
            registry=registry,
            buckets=_LONG,
        )
        self.batch_size = Histogram("cimaster_batch_size", "Requests per write", registry=registry, buckets=_SIZES)

    def count_commit(self, requests: int, seconds: float, events: list[str]) -> None:
        """Count a write and its events."""
        self.commit_seconds.observe(seconds)
        self.batch_size.observe(requests)
        for event in events:
            if len(self._events) < _MAX_EVENTS:
                self._events.add(event)
            self.changes.labels(event if event in self._events else "other").inc()
            if event in AUTOMATIC_EVENTS:
                self.expirations.labels(event.split()[0]).inc()
