"""The Prometheus metrics of the manual-trigger service."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from cimaster.common.serving.worker_metrics import WorkerMetrics

_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)


class Metrics:
    """The service's own metrics; prometheus_flask_exporter adds those of HTTP requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.worker = WorkerMetrics(registry, "manual_trigger")

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"manual_trigger_{name}", text, labels, registry=registry)

        self.triggers = counter(
            "triggers", "Requests to start a job by outcome: created, existing, or the code of the refusal", "outcome"
        )
        self.reads = counter("configuration_reads", "Reads of Prow's configuration: good, or the refusal", "outcome")
        self.api_errors = counter("api_errors", "Calls to the API server that failed, by code of the refusal", "code")
        self.watches_cut = counter("watches_cut", "Watches of a ProwJob that ended within a second")
        self.thread_errors = counter("thread_errors", "Rounds of a background thread that failed", "thread")
        self.build_id_seconds = Histogram(
            "manual_trigger_build_id_seconds", "Time until a job had its build id", registry=registry, buckets=_WAITS
        )

    def show_configuration(self, age: Callable[[], float], jobs: Callable[[], float]) -> None:
        """Show the age of the configuration in seconds, and how many jobs it has."""
        for name, text, value in (
            ("configuration_age_seconds", "Time since Prow's configuration was last read; -1 if never", age),
            ("jobs", "Jobs in Prow's configuration", jobs),
        ):
            Gauge(f"manual_trigger_{name}", text, registry=self.registry).set_function(value)
