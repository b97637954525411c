"""The definition of a channel: what all kinds have in common."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from cimaster.common import parsers
from cimaster.common.ini_sections import Section
from cimaster.common.ini_sections import key as key
from cimaster.notifiers.message import Message
from cimaster.pool.records import weekly_hours
from cimaster.pool.records.notice import NOTICE_KINDS, Notice
from cimaster.pool.records.weekly_hours import WeeklyHours

LONGEST_TIMEOUT = timedelta(seconds=20)


def read_kinds(text: str) -> tuple[str, ...]:
    """Read kinds of notices; `none` for a channel that only people use."""
    kinds = parsers.words(text)
    if kinds == ("none",):
        return ()
    if not kinds or not set(kinds) <= set(NOTICE_KINDS):
        raise ValueError(f"some of {', '.join(NOTICE_KINDS)}, or none")
    return kinds


def read_hours(text: str) -> WeeklyHours:
    """Read hours of the week."""
    return weekly_hours.parse(text)


@dataclass(frozen=True, kw_only=True)
class Channel(Section):
    """A receiver of notices as the operator defined it. Without purposes it gets the notices of all of them.

    In the quiet hours nothing is sent. With a digest, notices are collected for that long and sent in one message.
    """

    needs_address: ClassVar[bool] = False
    """Whether the mapping of people names an address for each of them."""

    purposes: tuple[str, ...] = key(parsers.words, ())
    notices: tuple[str, ...] = key(read_kinds, NOTICE_KINDS)
    quiet: WeeklyHours | None = key(read_hours, None)
    digest: timedelta | None = key(parsers.duration_up_to(timedelta(days=1)), None)
    timeout: timedelta = key(parsers.duration_up_to(LONGEST_TIMEOUT), timedelta(seconds=10))

    def wants(self, notice: Notice) -> bool:
        """Say whether the channel gets a notice, apart from those for single people."""
        has_purpose = not self.purposes or not notice.purpose or notice.purpose in self.purposes
        return self.has_own_receiver and has_purpose and notice.kind in self.notices

    @property
    def has_own_receiver(self) -> bool:
        """Whether the channel has a receiver besides the people that it reaches."""
        return True

    @property
    def collects(self) -> bool:
        """Whether the notices that wait are sent in one message."""
        return self.digest is not None or self.quiet is not None

    def send(self, message: Message) -> None:
        """Send a message; a repeat has the same `message.key`. Raises NotDelivered if it was not accepted."""
        raise NotImplementedError
