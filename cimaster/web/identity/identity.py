"""An authenticated caller, whatever kind of credential it sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from cimaster.pool.records import owners


class Source(StrEnum):
    """The kind of credential that authenticated a caller."""

    STATIC = "token"
    SERVICE_ACCOUNT = "service account"
    PROXY = "proxy"
    SESSION = "session"


@dataclass(frozen=True)
class Identity:
    """An authenticated caller: its name as in the file of roles, such as `alice` or `system:serviceaccount:ci:e2e`.

    `expires` is when its credential ends, None if it does not end by itself. `credential` identifies a static token by
    the beginning of its digest, so that a session ends together with the token that began it.
    """

    name: str
    source: Source
    groups: frozenset[str] = frozenset()
    email: str = ""
    expires: datetime | None = None
    credential: str = ""

    @cached_property
    def owner(self) -> str:
        """The owner of what this caller takes and asks for, as decisions compare it."""
        return owners.of_name(self.name)

    @property
    def label(self) -> str:
        """Its name as pages and sentences show it."""
        return owners.label(self.name)
