"""Provisioners create clusters. Each is one module with its settings and functions, listed in `KINDS`.

To add one, write a module with a class `Settings` and a function `begin(settings, creation, stop)`, and add both to
`KINDS`.
"""

import itertools
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from cimaster.common.settings import BadSetting, FromEnvironment
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import REFUSED, Creation
from cimaster.provisioners import command, manual_trigger
from cimaster.provisioners.outcome import Built, Failure, JobStatus
from cimaster.settings import Settings


@dataclass(frozen=True)
class Kind:
    """One kind of provisioner.

    `begin` starts a job that creates a cluster, or creates it itself: then `builds` is true, and `begin` stops early
    when the event is set. It takes at most `settings.timeout`; called again with the same `creation.idempotency_key` it
    must not create another cluster. `look` returns the status of a job that `begin` started. Both raise `Failure`.
    """

    settings: type[FromEnvironment]
    begin: Callable[[Any, Creation, Event], TriggeredJob | Built]
    look: Callable[[Any, Creation], JobStatus] | None = None
    builds: bool = False


KINDS = {
    "manual-trigger": Kind(manual_trigger.Settings, manual_trigger.begin, manual_trigger.look),
    "command": Kind(command.Settings, command.begin, builds=True),
}


@dataclass(frozen=True)
class Provisioner:
    """A kind of provisioner with its settings."""

    name: str
    kind: Kind
    settings: Any

    @property
    def timeout(self) -> timedelta:
        """The longest time that `begin` takes."""
        found: timedelta = self.settings.timeout
        return found

    def begin(self, creation: Creation, stop: Event) -> TriggeredJob | Built:
        """Start creating a cluster; raise Failure if that is not possible."""
        for name in ("purpose", "user", "branch", "job"):
            if any(unicodedata.category(char) in ("Cc", "Cs") for char in getattr(creation, name)):
                raise Failure(
                    REFUSED, f"{name} of creation {creation.id} has control characters: create it again without them"
                )
        return self.kind.begin(self.settings, creation, stop)

    def look(self, creation: Creation) -> JobStatus | None:
        """Return the status of a creation's job, None if this kind has no jobs; raise Failure if it cannot be read."""
        return self.kind.look(self.settings, creation) if self.kind.look else None


def chosen(settings: Settings) -> Provisioner | None:
    """Return the provisioner that the settings name, or None; raise BadSetting if its settings cannot be used."""
    name = settings.provisioner
    if not name:
        name = "manual-trigger" if manual_trigger.Settings.from_environ().url else ""
    if name in ("", "none"):
        return None
    if name not in KINDS:
        raise BadSetting(f"CIMASTER_PROVISIONER is {name!r}: expected {', '.join(KINDS)} or none")
    kind = KINDS[name]
    kind_settings = kind.settings.from_environ()
    kind_settings.check()
    return Provisioner(name, kind, kind_settings)


def all_settings() -> "Iterator[tuple[str, Field[Any]]]":
    """Yield every setting of the service and its provisioners, with its environment variable."""
    groups: tuple[type[FromEnvironment], ...] = (Settings, *(kind.settings for kind in KINDS.values()))
    return itertools.chain.from_iterable(group.variables() for group in groups)
