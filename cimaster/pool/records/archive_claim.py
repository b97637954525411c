"""How far the history is archived, and which replica archives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cimaster.common.times import format_end, stored_time
from cimaster.pool.records.json_values import dump, load
from cimaster.pool.records.record import Fields

_MEMBERS = ("through", "by", "until", "lost", "edition")


@dataclass(frozen=True)
class ArchiveClaim:
    """The replica that archives (`by`, until a time), the last commit that it archived, and how many changes were lost.

    `lost` counts the changes that were dropped before they could be archived. `edition` counts how often the archive
    was written anew: replicas then read all of it again. `unknown` are members of later versions.
    """

    through: int = 0
    by: str = ""
    until: datetime | None = None
    lost: int = 0
    edition: int = 0
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "ArchiveClaim":
        """Read the stored claim; ValueError if the text is not an object."""
        value = load(text)
        if not isinstance(value, dict):
            raise ValueError("it is not an object")  # noqa: TRY004 the stored text is wrong, not a caller's type
        fields = Fields(value)
        through, lost, edition = map(fields.get_number, ("through", "lost", "edition"))
        unknown = {key: member for key, member in value.items() if key not in _MEMBERS}
        return cls(through, fields.get_id("by"), stored_time(value.get("until")), lost, edition, unknown)

    @property
    def text(self) -> str:
        """The claim as it is stored; empty if there is nothing to store."""
        until = format_end(self.until) if self.until else ""
        members = {"through": self.through, "by": self.by, "until": until, "lost": self.lost, "edition": self.edition}
        given = {**self.unknown, **{key: value for key, value in members.items() if value}}
        return dump(given) if given else ""

    def is_of_another(self, owner: str, now: datetime) -> bool:
        """Say whether another replica has the claim now."""
        return self.by not in ("", owner) and self.until is not None and self.until > now

    def renewed(self, owner: str, until: datetime) -> "ArchiveClaim":
        """Return the claim of this replica until a time."""
        return replace(self, by=owner, until=until)
