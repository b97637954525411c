"""How a person wants to hold a cluster, now or when it is free."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import same_person


@dataclass(frozen=True)
class HoldTerms:
    """How a person holds a cluster: what for, for how long or until when, and with which people.

    With `until`, `duration` counts only for a hold that begins later. `made_by` is the caller that makes the hold;
    empty means the person.
    """

    desc: str = ""
    duration: timedelta | None = None
    shared_with: tuple[str, ...] = ()
    made_by: str = ""
    until: datetime | None = None

    def actor(self, person: str) -> str:
        """Return the caller that makes the hold of a person."""
        return self.made_by if self.made_by and not same_person(self.made_by, person) else person
