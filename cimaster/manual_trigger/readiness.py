"""Whether the service is ready for requests, and the state of each of its parts."""

from typing import Any

from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.components import Components

_SHORTEST_SILENCE = 60.0  # seconds without an answer from the API server after which requests should go elsewhere


def report(components: Components) -> dict[str, Any]:
    """Return the body of /readyz; `ready` says whether to send requests here."""
    catalog, prowjobs = components.catalog, components.prowjobs
    longest_silence = max(3 * components.settings.reload_every.total_seconds(), _SHORTEST_SILENCE)
    age = catalog.age
    return {
        "ready": catalog.loaded and prowjobs.silence < longest_silence,
        "configuration": catalog.trouble or "ok",
        "configuration_age": None if age is None else round(age, 1),
        "jobs": catalog.current.counts if catalog.loaded else {},
        "namespace": components.trigger_service.namespace if catalog.loaded else "",
        "api": prowjobs.trouble or "ok",
        "tokens": _state(components.tokens.file),
        "rules": _state(components.rules.file, "none: nothing may be started"),
    }


def _state(file: WatchedFile[Any], when_empty: str = "ok: 0") -> str:
    entries = len(file.value)  # reads the file again if it has changed, so this comes before `trouble`
    return file.trouble or (f"ok: {entries}" if entries else when_empty)
