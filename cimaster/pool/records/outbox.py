"""The outbox: the notices that are not sent yet, and what decides when the next one is due.

Notices leave it as soon as they are sent, and it is bounded, because every write sends all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.records import record_lists
from cimaster.pool.records.json_values import dump, load
from cimaster.pool.records.notice import Notice
from cimaster.pool.records.record import Fields


@dataclass(frozen=True)
class Shortage:
    """A purpose has had no vacant cluster since a time; `noticed` if a notice says so."""

    since: datetime
    noticed: bool = False


@dataclass(frozen=True)
class ChannelState:
    """The replica that sends the notices of a channel, until when, and the failures of the channel.

    `given_up` counts the notices that were given up since one was sent last.
    """

    claimed_by: str = ""
    claimed_until: datetime | None = None
    next_try: datetime | None = None
    tries: int = 0
    failure: str = ""
    failed_at: datetime | None = None
    given_up: int = 0

    def is_claimed(self, now: datetime) -> bool:
        """Say whether a replica has a claim on it now."""
        return self.claimed_until is not None and now < self.claimed_until

    def written(self) -> dict[str, Any]:
        """Return it as it is stored."""
        times = {"claimUntil": self.claimed_until, "nextTry": self.next_try, "failedAt": self.failed_at}
        return _without_empty(
            {
                "claimBy": self.claimed_by,
                "tries": self.tries,
                "failure": self.failure,
                "givenUp": self.given_up,
                **{key: format_time(time) if time else "" for key, time in times.items()},
            }
        )

    @classmethod
    def read(cls, stored: Fields) -> "ChannelState":
        """Read a stored one; what cannot be read is ignored."""
        return cls(
            stored.get_text("claimBy"),
            stored.get_time("claimUntil"),
            stored.get_time("nextTry"),
            stored.get_number("tries"),
            stored.get_text("failure"),
            stored.get_time("failedAt"),
            stored.get_number("givenUp"),
        )


@dataclass(frozen=True)
class NoticeState:
    """Until when times were looked at, which purposes have no vacant cluster, and the channels in use or failing."""

    looked_until: datetime | None = None
    shortages: Mapping[str, Shortage] = field(default_factory=dict)
    channels: Mapping[str, ChannelState] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "NoticeState":
        """Read a stored one; ValueError if it is not JSON. A part that cannot be read is ignored."""
        stored = Fields(_object(load(text)))
        shortages = {purpose: Fields(_object(each)) for purpose, each in _object(stored.fields.get("none")).items()}
        channels = {name: Fields(_object(each)) for name, each in _object(stored.fields.get("channels")).items()}
        return cls(
            stored.get_time("lookedUntil"),
            {p: Shortage(since, s.get_flag("noticed")) for p, s in shortages.items() if (since := s.get_time("since"))},
            {name: ChannelState.read(each) for name, each in channels.items()},
        )

    @cached_property
    def text(self) -> str:
        """The JSON as it is stored; empty if there is nothing to store."""
        none = {
            purpose: _without_empty({"since": format_time(each.since), "noticed": each.noticed})
            for purpose, each in self.shortages.items()
        }
        channels = {name: written for name, each in self.channels.items() if (written := each.written())}
        looked = format_time(self.looked_until) if self.looked_until else ""
        stored = _without_empty({"lookedUntil": looked, "none": none, "channels": channels})
        return dump(stored) if stored else ""


@dataclass(frozen=True)
class Outbox:
    """The notices in order, oldest first; `lost` are those that the newest change dropped, because it was full."""

    notices: tuple[Notice, ...] = ()
    state: NoticeState = NoticeState()
    lost: tuple[Notice, ...] = ()

    @cached_property
    def text(self) -> str:
        """The notices as they are stored; empty if there are none."""
        return record_lists.encode(self.notices) if self.notices else ""

    def channel(self, name: str) -> ChannelState:
        """Return the state of a channel."""
        return self.state.channels.get(name, ChannelState())


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _without_empty(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value}
