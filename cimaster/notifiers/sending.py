"""Sends the notices of a channel, one after the other, until one fails in a way that the next would too."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from cimaster.common.clock import Clock
from cimaster.notifiers import Definitions, wording
from cimaster.notifiers.bounded_calls import BoundedCalls
from cimaster.notifiers.channel import Channel
from cimaster.notifiers.message import Message, NotDelivered
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.pool.records.notice import Notice, person_of

_LONGEST = 25.0  # seconds after which no further message is sent; the others have their turn in the next round
_PER_MESSAGE = 20  # notices
_GRACE = timedelta(seconds=5)  # to connect, and to look up a name, besides the time-out of the channel
_log = logging.getLogger(__name__)

Letter = tuple[str, list[Notice]]  # a destination, and the notices for it in one message


class Sending:
    """Sends for one process. `stopping` says whether it is about to end, `now` is the time that messages carry."""

    def __init__(
        self, public_url: str, now: Callable[[], datetime], stopping: Callable[[], bool], clock: Clock | None = None
    ) -> None:
        self._public_url, self._now, self._stopping = public_url, now, stopping
        self._clock = clock or Clock()
        self._calls = BoundedCalls()

    def send(self, name: str, definitions: Definitions, notices: list[Notice]) -> Round:
        """Send the notices of a channel, and return what became of them. Takes at most about 50 s."""
        channel = definitions.channels.get(name)
        if channel is None:
            return Round({}, {notice.id: notice.destinations_in(name) for notice in notices})
        began, sent, dropped = (
            self._clock.monotonic(),
            defaultdict[str, list[str]](list),
            defaultdict[str, list[str]](list),
        )
        failures: list[NotDelivered] = []
        for destination, together in _letters(channel, notices):
            if self._stopping() or self._clock.monotonic() - began > _LONGEST:
                break
            address = _address(definitions, channel, destination)
            if address is None:
                _note(dropped, together, destination)
                continue
            try:
                self._send(channel, self._message(together, address))
            except NotDelivered as failure:
                failures.append(failure)
                if not failure.refused:
                    break
            else:
                _note(sent, together, destination)
        pause = max((failure.pause for failure in failures if failure.pause), default=None)
        reason = str(failures[-1]) if failures else ""
        return Round(_frozen(sent), _frozen(dropped), reason, pause)

    def _message(self, together: list[Notice], address: str) -> Message:
        items = tuple(wording.item(notice, self._public_url) for notice in together)
        return Message(items, self._now(), self._public_url or "/cimaster", address)

    def _send(self, channel: Channel, message: Message) -> None:
        try:
            self._calls.run(channel.name, lambda: channel.send(message), channel.timeout + _GRACE)
        except NotDelivered:
            raise
        except Exception as error:  # its text may contain an address or a secret
            _log.error("channel %s cannot be used (%s)", channel.name, type(error).__name__)
            raise NotDelivered(f"it cannot be used ({type(error).__name__})", refused=True) from None


def _letters(channel: Channel, notices: list[Notice]) -> Iterator[Letter]:
    """Yield what is sent in one message each."""
    if not channel.collects:
        yield from ((each, [notice]) for notice in notices for each in notice.destinations_in(channel.name))
        return
    by_destination = defaultdict[str, list[Notice]](list)
    for notice in notices:
        for destination in notice.destinations_in(channel.name):
            by_destination[destination].append(notice)
    for destination, together in by_destination.items():
        for first in range(0, len(together), _PER_MESSAGE):
            yield destination, together[first : first + _PER_MESSAGE]


def _address(definitions: Definitions, channel: Channel, destination: str) -> str | None:
    """Return the address of a destination, empty for the channel's own receiver; None if it is no longer defined."""
    person = person_of(destination)
    if not person:
        return "" if channel.has_own_receiver else None
    contact = definitions.people.get(person)
    return contact.address if contact and contact.channel == channel.name else None


def _note(outcome: dict[str, list[str]], notices: list[Notice], destination: str) -> None:
    for notice in notices:
        outcome[notice.id].append(destination)


def _frozen(outcome: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {identity: tuple(destinations) for identity, destinations in outcome.items()}
