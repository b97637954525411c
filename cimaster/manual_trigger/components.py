"""The parts of the service, joined: what the routes use and the threads run."""

from typing import Any

from prometheus_client import CollectorRegistry

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.manual_trigger.access.rules import Rules
from cimaster.manual_trigger.access.tokens import Callers
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.config_source import fetch
from cimaster.manual_trigger.prow.prowjobs import ProwJobs
from cimaster.manual_trigger.refresher import Refresher
from cimaster.manual_trigger.settings import TriggerSettings
from cimaster.manual_trigger.triggers import Triggers

_SHORTEST_SILENCE = 60.0  # seconds without an answer of the API server after which requests had better go elsewhere


class Parts:
    """Everything behind the routes. Its thread rests until `keeper.start()`."""

    def __init__(self, settings: TriggerSettings, registry: CollectorRegistry, clock: Clock) -> None:
        every = settings.reload_every.total_seconds()
        self.metrics = Metrics(registry)
        self.callers = Callers(settings.token_file)
        self.rules = Rules(settings.allow_file)
        self.catalog = Catalog(lambda: fetch(settings.config), self.metrics, clock)
        self.prowjobs = ProwJobs(KubernetesClient(settings.threads, clock), self.metrics, clock)
        self.triggers = Triggers(settings, self.catalog, self.prowjobs, self.rules, self.metrics, clock)
        self.keeper = Refresher(
            self.catalog, self.prowjobs, lambda: self.triggers.namespace, every, self.metrics.thread_errors
        )
        self._longest_silence = max(3 * every, _SHORTEST_SILENCE)
        self.metrics.show_configuration(
            lambda: -1.0 if self.catalog.age is None else self.catalog.age,
            lambda: float(sum(self.catalog.current.counts.values())) if self.catalog.loaded else 0.0,
        )

    def readiness(self) -> dict[str, Any]:
        """Return whether the service wants requests, and what is wrong with each part."""
        reachable = self.prowjobs.silence < self._longest_silence
        age = self.catalog.age
        tokens, rules = self.callers.file, self.rules.file
        known, allowing = len(tokens.value), len(rules.value)  # looks whether the files have changed
        return {
            "ready": self.catalog.loaded and reachable,
            "configuration": self.catalog.trouble or "ok",
            "configuration_age": None if age is None else round(age, 1),
            "jobs": self.catalog.current.counts if self.catalog.loaded else {},
            "namespace": self.triggers.namespace if self.catalog.loaded else "",
            "api": self.prowjobs.trouble or "ok",
            "tokens": tokens.trouble or f"ok: {known}",
            "rules": rules.trouble or (f"ok: {allowing}" if allowing else "none: nothing may be started"),
        }
