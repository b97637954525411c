"""What a channel sends: one notice or several, in sentences with links."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

PRODUCT = "CIMaster"


@dataclass(frozen=True)
class Item:
    """One notice as people and programs read it; its `id` is the same each time it is sent."""

    id: str
    kind: str
    at: datetime
    text: str
    link: str = ""
    facts: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Message:
    """The items that are sent together, to a person's address if `to` is set; `now` is the time of sending."""

    items: tuple[Item, ...]
    now: datetime
    source: str
    to: str = ""

    @property
    def key(self) -> str:
        """The key by which a receiver recognizes a repeat; that of a single item is its id."""
        if len(self.items) == 1:
            return self.items[0].id
        return hashlib.sha256(" ".join(item.id for item in self.items).encode()).hexdigest()[:32]

    @property
    def subject(self) -> str:
        """A title of one line."""
        return self.items[0].text if len(self.items) == 1 else f"{len(self.items)} notices of {PRODUCT}"


class NotDelivered(Exception):
    """A message was not accepted; the sentence contains no secret.

    `pause` is how long the receiver wants the sender to wait. `refused` if only this message failed, so that the next
    one may succeed.
    """

    def __init__(self, reason: str, pause: timedelta | None = None, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.pause = pause
        self.refused = refused
