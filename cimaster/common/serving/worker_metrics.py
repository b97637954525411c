"""The metrics of the worker: what happens to requests before the application sees them."""

from prometheus_client import CollectorRegistry, Counter


class WorkerMetrics:
    """Counters of one program's worker; their names begin with `prefix`."""

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self.early_refusals = Counter(
            f"{prefix}_early_refusals",
            "Requests that were refused before the application saw them: incomplete, not valid HTTP, or too many",
            ["status"],
            registry=registry,
        )
        self.paced_requests = Counter(
            f"{prefix}_paced_requests", "Requests that waited for the turn of their caller", registry=registry
        )
