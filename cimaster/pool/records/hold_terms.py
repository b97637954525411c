"""How a person wants to hold a cluster, now or when it is free."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class HoldTerms:
    """How a person holds a cluster: what for, for how long, and with which people.

    `made_by` is the admin that makes the hold for the person; empty if they make it themselves.
    """

    desc: str = ""
    duration: timedelta | None = None
    shared_with: tuple[str, ...] = ()
    made_by: str = ""
