"""Notifiers send notices. Each kind of channel is one module, listed in `KINDS`; the operator's file defines channels.

To add a kind, write a module with a subclass of `channel.Channel`, and add it to `KINDS`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cimaster.common import ini_sections
from cimaster.common.file_text import decoded
from cimaster.common.settings import BadSetting
from cimaster.common.texts import folded
from cimaster.common.watched_file import WatchedFile
from cimaster.notifiers.channel import Channel
from cimaster.notifiers.mail import MailChannel, read_address
from cimaster.notifiers.slack import SlackChannel
from cimaster.notifiers.webhook import WebhookChannel
from cimaster.pool.records.notice import NOTICE_KINDS, Notice
from cimaster.settings import Settings

KINDS: dict[str, type[Channel]] = {"slack": SlackChannel, "webhook": WebhookChannel, "mail": MailChannel}
_PEOPLE = "people"
_NAME = re.compile(rf"(?!{_PEOPLE}$)[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?")


@dataclass(frozen=True)
class Contact:
    """How a person is reached: a channel, and the person's address if the channel needs one."""

    channel: str
    address: str = ""


@dataclass(frozen=True)
class Definitions:
    """What the operator's file defines: channels by name, and people by folded name."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    people: Mapping[str, Contact] = field(default_factory=dict)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of notices that a channel or a person wants."""
        of_channels = frozenset(
            kind for each in self.channels.values() if each.has_own_receiver for kind in each.notices
        )
        return frozenset(NOTICE_KINDS) if self.people else of_channels

    def destinations(self, notice: Notice) -> list[str]:
        """Return where a notice goes: the channels that want it, and the person that it is for."""
        found = [name for name, channel in self.channels.items() if channel.wants(notice)]
        contact = self.people.get(folded(notice.person)) if notice.person else None
        if contact and (contact.address or contact.channel not in found):
            found.append(f"{contact.channel}/{folded(notice.person)}")
        return found


class DefinedChannels:
    """The channels in the operator's file, which is read again when it changes; a bad file keeps the last good ones."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: WatchedFile[Definitions] = WatchedFile(path, read, Definitions(), keep_last_good=True)
        self._last_good = Definitions()

    @property
    def current(self) -> Definitions:
        """The definitions; without a file there are none."""
        if not self._path:
            return self._last_good
        found = self._file.value
        if not self._file.trouble:  # a missing file would otherwise count as empty, although an editor may replace it
            self._last_good = found
        return self._last_good

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of notices that a channel or a person wants; empty if no channel is defined."""
        return self.current.kinds

    def troubles(self) -> dict[str, str]:
        """Read the file again if it has changed; return why it cannot be used, nothing if none is set."""
        return {"notices": self._file.current_trouble()} if self._path else {}

    def destinations(self, notice: Notice) -> list[str]:
        """Return where a notice goes."""
        return self.current.destinations(notice)


def check_file(settings: Settings) -> None:
    """Raise BadSetting if the file of the channels exists and cannot be used."""
    path = settings.notices_file
    if not path:
        return
    try:
        read(decoded(Path(path).read_bytes()))
    except OSError as error:
        raise BadSetting(f"CIMASTER_NOTICES_FILE is {path!r}, which cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadSetting(f"CIMASTER_NOTICES_FILE is {path!r}, which cannot be used: {error}") from None


def read(text: str) -> Definitions:
    """Read the channels and the people; ValueError names the section and the key that is wrong."""
    sections = ini_sections.split(text)
    people = sections.pop(_PEOPLE, {})
    channels = {name: _channel(name, texts) for name, texts in sections.items()}
    return Definitions(channels, {folded(name): _contact(name, text, channels) for name, text in people.items()})


def _channel(name: str, texts: Mapping[str, str]) -> Channel:
    if not _NAME.fullmatch(name):
        raise ValueError(f"[{name}] is not a name for a channel: expected up to 63 lower case letters, digits and '-'")
    return ini_sections.read(name, texts, KINDS)


def _contact(person: str, text: str, channels: Mapping[str, Channel]) -> Contact:
    name, _, address = text.partition(" ")
    channel = channels.get(name)
    if channel is None:
        raise ValueError(
            f"[{_PEOPLE}] {person} names the channel {name!r}: expected {', '.join(channels) or 'a channel'}"
        )
    if channel.needs_address != bool(address.strip()):
        expected = f"{name} and a mail address" if channel.needs_address else f"only {name}, which needs no address"
        raise ValueError(f"[{_PEOPLE}] {person} is {text!r}: expected {expected}")
    try:
        return Contact(name, read_address(address.strip()) if address.strip() else "")
    except ValueError as error:
        raise ValueError(f"[{_PEOPLE}] {person} is {text!r}: expected {name} and {error}") from None
