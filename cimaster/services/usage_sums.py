"""The sums of usage of each slot of the archive: how they are kept up to date, and read."""

import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

from cimaster.pool.records.history import Entry
from cimaster.pool.usage import stored_form
from cimaster.pool.usage.fold import UsageFold
from cimaster.repository.history_slot import Frame, Slot

_PER_UPDATE = 500  # changes after which stored sums are renewed: until then, every reader adds the rest
_MANY = 100  # changes in one write: callers wait for this process, so the sums are renewed later
_MOST_UNCOUNTED = 10_000  # changes after which they are renewed nevertheless; a reader adds as many in 150 ms
_CACHED_SLOTS = 48  # more than there are in an archive
_LARGEST = 20_000_000  # bytes of JSON; more cannot be ours
_log = logging.getLogger(__name__)


def count_usage(before: Slot | None, slot: Slot, new: Sequence[tuple[int, Entry]]) -> bytes:
    """Return the sums to store with a slot that gets `new` changes; `before` is its predecessor if it is empty.

    While only a few changes are not in the stored sums yet, those stay as they are, and under load for longer.
    """
    counted = _changes_in(slot.usage)
    if counted is not None:
        uncounted = sum(frame.changes for frame in slot.frames) + len(new) - counted
        if uncounted < (_MOST_UNCOUNTED if len(new) >= _MANY else _PER_UPDATE):
            return slot.usage
    fold = folded(before).carried() if before else _counted(slot.usage, slot.frames)
    return pack(_with(fold, (entry for _, entry in new)))


def folded(slot: Slot) -> UsageFold:
    """Return the sums over all changes of a slot. They are shared, so the caller must not add to them."""
    return _shared(slot.usage, slot.frames)


def recounted(before: UsageFold, slot: Slot) -> UsageFold:
    """Return the sums over all changes of a slot, counted anew, after those of its predecessor."""
    return _with(before.carried(), _entries(slot.frames, UsageFold()))


def pack(fold: UsageFold) -> bytes:
    """Return sums as they are stored."""
    return zlib.compress(stored_form.text_of(fold).encode("utf-8", "surrogatepass"), 6)


@lru_cache(maxsize=_CACHED_SLOTS)
def _shared(usage: bytes, frames: tuple[Frame, ...]) -> UsageFold:
    return _counted(usage, frames)


def _counted(usage: bytes, frames: tuple[Frame, ...]) -> UsageFold:
    fold = _stored(usage) or UsageFold()
    return _with(fold, _entries(frames, fold))


@lru_cache(maxsize=1)  # the same sums are stored again and again, and reading them holds up the requests meanwhile
def _changes_in(usage: bytes) -> int | None:
    """Return how many changes stored sums have counted; None if there are none that can be read."""
    stored = _stored(usage)
    return None if stored is None else stored.counted


def _stored(usage: bytes) -> UsageFold | None:
    """Return the stored sums; None if there are none that can be read."""
    if not usage:
        return None
    try:
        text = zlib.decompressobj().decompress(usage, _LARGEST).decode("utf-8", "surrogatepass")
        return stored_form.parse(text)
    except (zlib.error, ValueError) as error:
        _log.warning("%s; they are counted again from the changes of this slot", error)
        return None


def _entries(frames: Sequence[Frame], fold: UsageFold) -> Iterator[Entry]:
    """Yield the changes after those that a fold has counted; damaged frames count as unreadable changes."""
    skipped = fold.counted
    for frame in frames:
        if skipped >= frame.changes:
            skipped -= frame.changes
            continue
        read = [Entry.parse("null", None)] * frame.changes
        with suppress(ValueError):
            read = [entry for _, entry in frame.entries()]
        yield from read[skipped:]
        skipped = 0


def _with(fold: UsageFold, entries: Iterator[Entry]) -> UsageFold:
    for entry in entries:
        fold.add(entry)
    return fold
