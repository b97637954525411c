"""Read the history: the changes that the pool still has, and the archived ones, as one list, newest first."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache

from cimaster.common.texts import printable, same, same_person
from cimaster.pool.decisions import archiving
from cimaster.pool.records.history import GAP, Entry
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_slot import Frame
from cimaster.repository.snapshots import Snapshot

_POSITION = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_ORDER = timedelta(hours=1)  # by which the times of changes may differ from their order, because clocks do
_PARSED_FRAMES = 32  # that stay in memory, because pages ask for the newest changes again and again


@dataclass(frozen=True)
class Position:
    """The place of a change in a list: the number of its commit, and its place among that commit's changes.

    `back` counts from the newest one that matches the filter of the request.
    """

    commit: int
    back: int = 0

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read a position as an answer gives it; ValueError says what is expected."""
        if not (found := _POSITION.fullmatch(text)):
            raise ValueError("a position such as 1234-0, from the header CIMaster-Next or the member next of an answer")
        return cls(int(found[1]), int(found[2]))

    def is_older_than(self, other: "Position") -> bool:
        """Say whether the change here came before the one at another position."""
        return (-self.commit, self.back) > (-other.commit, other.back)

    def __str__(self) -> str:
        return f"{self.commit}-{self.back}"


@dataclass(frozen=True)
class HistoryFilter:
    """Which changes are wanted; empty members match all. `kind` is an event such as `taken`; `until` is exclusive."""

    cluster: str = ""
    person: str = ""
    job: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: Entry) -> bool:
        """Say whether a change is wanted. Missing changes are, because any of them might be."""
        if not self._is_in_time(entry):
            return False
        if entry.event == GAP:
            return True
        people = (entry.by, entry.get_text("caller"), entry.holder, entry.get_text("newHolder"))
        return (
            (not self.cluster or printable(entry.cluster) == self.cluster)
            and (not self.job or same(entry.job, self.job))
            and (not self.kind or same(entry.event, self.kind))
            and (not self.person or any(same_person(name, self.person) for name in people))
        )

    def _is_in_time(self, entry: Entry) -> bool:
        if self.since is None and self.until is None:
            return True
        at = entry.at
        return at is not None and not (self.since and at < self.since) and not (self.until and at >= self.until)

    def may_match(self, json: bytes) -> bool:
        """Say whether one of these changes, which are JSON in lower case, may be wanted."""
        return all(name in json for name in self._names) or GAP.encode() in json

    @cached_property
    def _names(self) -> list[bytes]:
        """The words that wanted changes contain, as far as they look the same in JSON."""
        wanted = (self.cluster, self.person, self.job, self.kind)
        return [word.lower().encode() for name in wanted if _is_plain(name) for word in name.split()]

    @property
    def is_about_time(self) -> bool:
        """Whether all changes of a time are wanted."""
        return not (self.cluster or self.person or self.job or self.kind)

    def begins_after(self, frame: Frame) -> bool:
        """Say whether the changes of a frame are too new."""
        return bool(self.until and frame.begins > (self.until + _ORDER).timestamp())

    def ends_with(self, frame: Frame) -> bool:
        """Say whether the changes before a frame are too old."""
        return bool(self.since and frame.begins and frame.begins < (self.since - _ORDER).timestamp())


def _is_plain(name: str) -> bool:
    """Say whether a text looks the same in JSON."""
    return name.isascii() and name.isprintable() and not set('"\\').intersection(name)


@dataclass(frozen=True)
class Page:
    """Some changes, newest first. `following` is the position of the last one, if there are more after it.

    `trouble` says why older changes are missing.
    """

    entries: list[Entry]
    following: Position | None
    trouble: str = ""


class History:
    """All changes of the pool that are still known."""

    def __init__(self, repository: ConfigMapRepository) -> None:
        self._repository, self._ring = repository, repository.history_ring

    def page(self, snapshot: Snapshot, wanted: HistoryFilter, limit: int, after: Position | None = None) -> Page:
        """Return up to `limit` wanted changes, newest first, that are older than the one at `after`."""
        found = list(itertools.islice(self._wanted(snapshot, wanted, after), limit + 1))
        shown = found[:limit]
        following = shown[-1][0] if len(found) > limit else None
        return Page([entry for _, entry in shown], following, self.trouble)

    def entries(self, snapshot: Snapshot, wanted: HistoryFilter) -> Iterator[Entry]:
        """Yield the wanted changes, newest first, reading the archive only as far as they are asked for."""
        return (entry for _, entry in self._wanted(snapshot, wanted, None))

    @property
    def trouble(self) -> str:
        """Why some archived changes cannot be read; empty if all can."""
        return self._ring.situation

    def _wanted(
        self, snapshot: Snapshot, wanted: HistoryFilter, after: Position | None
    ) -> Iterator[tuple[Position, Entry]]:
        known = self._all(snapshot, wanted, after.commit if after else None)
        for position, entry in _positions(pair for pair in known if wanted.matches(pair[1])):
            if after is None or position.is_older_than(after):
                yield position, entry

    def _all(self, snapshot: Snapshot, wanted: HistoryFilter, newest: int | None) -> Iterator[tuple[int, Entry]]:
        """Yield the changes with the numbers of their commits, newest first; frames without wanted ones are skipped."""
        pool = snapshot.pool
        slots = self._ring.slots(pool.archive.through, pool.archive.edition)
        for commit, entry in reversed(pool.unarchived(slots[0].last if slots else -1)):
            yield commit, archiving.described(entry, pool)  # so that a change looks the same before and after
        for frame in (frame for slot in slots for frame in reversed(slot.frames)):
            if (newest is not None and frame.first > newest) or wanted.begins_after(frame):
                continue
            yield from reversed(_read(frame, wanted))
            if wanted.ends_with(frame):
                return


def _read(frame: Frame, wanted: HistoryFilter) -> list[tuple[int, Entry]]:
    """Return the changes of a frame that may be wanted, oldest first."""
    try:
        return _parsed(frame) if wanted.is_about_time else frame.entries(wanted.may_match)
    except ValueError as damaged:
        return [(frame.last, _unreadable(frame, damaged))]


def _unreadable(frame: Frame, damaged: ValueError) -> Entry:
    return Entry({"commit": frame.last, "event": GAP, "missing": frame.changes, "reason": f"archive: {damaged}"})


def _positions(numbered: Iterable[tuple[int, Entry]]) -> Iterator[tuple[Position, Entry]]:
    last, back = -1, 0
    for commit, entry in numbered:
        back = back + 1 if commit == last else 0
        last = commit
        yield Position(commit, back), entry


@lru_cache(maxsize=_PARSED_FRAMES)
def _parsed(frame: Frame) -> list[tuple[int, Entry]]:
    return frame.entries()
