"""One object of the archive: changes in compressed frames, in the order of their commits.

Its data key `slot.json` says which generation of the ring it is and what its frames contain; the binary key `changes`
has the frames, one after the other. A frame is the JSON of some hundred changes, one per line, compressed with zlib.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.history import Entry, History, numbered
from cimaster.pool.records.json_values import dump, load
from cimaster.pool.records.record import Fields
from cimaster.repository.stores.port import StoredObject

META, CHANGES, USAGE = "slot.json", "changes", "usage"
SIZE_LIMIT = 900_000  # bytes of all values; the API server takes 1 MiB
FRAME_SIZE = 64_000  # bytes of JSON from which a frame is complete; reading one change decompresses its frame
_LARGEST_FRAME = 4_000_000  # bytes of JSON; more cannot be ours


class UnreadableSlot(ValueError):
    """The object has data, but is no slot of an archive; the message says why."""


class Frame(NamedTuple):
    """Compressed changes of the commits from `first` to `last`; `raw` is the size of their JSON in bytes.

    `begins` is the time of the first one, in seconds since 1970; 0 if it is unknown.
    """

    packed: bytes
    raw: int
    changes: int
    first: int
    last: int
    begins: int = 0

    @classmethod
    def of(cls, entries: Sequence[tuple[int, Entry]]) -> "Frame":
        """Compress changes, given with the numbers of their commits."""
        begins = next((int(entry.at.timestamp()) for _, entry in entries if entry.at), 0)
        text = _text(entries)
        packed = zlib.compress(text, 6)
        return cls(packed, len(text), len(entries), entries[0][0], entries[-1][0], max(begins, 0))

    def extended(self, entries: Sequence[tuple[int, Entry]]) -> "Frame":
        """Return it with more changes; ValueError if it is damaged."""
        text = self.json + b"\n" + _text(entries)
        changes = self.changes + len(entries)
        return self._replace(packed=zlib.compress(text, 6), raw=len(text), changes=changes, last=entries[-1][0])

    @property
    def json(self) -> bytes:
        """The changes as JSON, one per line; ValueError if the frame is damaged."""
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(self.packed, _LARGEST_FRAME)
        except zlib.error as error:
            raise ValueError(f"a frame is damaged: {error}") from None
        if not unpacker.eof:
            raise ValueError("a frame is incomplete")
        return text

    def entries(self, may_match: Callable[[bytes], bool] = lambda _: True) -> list[tuple[int, Entry]]:
        """Return the changes with the numbers of their commits, oldest first; ValueError if the frame is damaged.

        Changes are left out if `may_match` returns False for their JSON in lower case.
        """
        json = self.json
        lower = json.lower()
        if not may_match(lower):
            return []
        wanted = (line for line, low in zip(json.split(b"\n"), lower.split(b"\n"), strict=True) if may_match(low))
        lines = [line.decode("utf-8", "surrogatepass") for line in wanted]
        read: History = tuple(Entry.parse(line, load(line)) for line in lines)
        return numbered(read, self.last)


@dataclass(frozen=True)
class Slot:
    """An immutable slot as it is stored in `object`. `generation` counts the slots that were ever begun; 0 is unused.

    A `sealed` slot gets no more changes. `usage` are the sums over its changes. `edition` is that of the whole archive:
    the newest slot has it, as soon as all slots are written anew.
    """

    object: StoredObject
    generation: int = 0
    pool_id: str = ""
    sealed: bool = False
    frames: tuple[Frame, ...] = ()
    usage: bytes = b""
    edition: int = 0

    @classmethod
    def parse(cls, stored: StoredObject) -> "Slot":
        """Read a slot; one without data is unused. UnreadableSlot if it has other data."""
        text = stored.data.get(META, "")
        if not text:
            if stored.data or stored.body.get("binaryData"):
                raise UnreadableSlot(f"it has no {META}")
            return cls(stored)
        try:
            meta = load(text)
        except ValueError as error:
            raise UnreadableSlot(f"{META} is not JSON: {error}") from None
        fields = Fields(meta if isinstance(meta, dict) else {})
        generation = fields.get_number("generation")
        if not generation:
            raise UnreadableSlot(f"{META} has no generation")
        frames = tuple(_frames(stored.binary(CHANGES), fields.fields.get("frames")))
        return cls(
            stored,
            generation,
            fields.get_text("pool"),
            fields.get_flag("sealed"),
            frames,
            stored.binary(USAGE),
            fields.get_number("edition"),
        )

    @property
    def last(self) -> int:
        """The newest commit in it; 0 if it has none."""
        return self.frames[-1].last if self.frames else 0

    @property
    def age(self) -> tuple[int, int]:
        """What orders slots from the oldest to the newest, also after the number of objects was changed.

        Then generations may be out of order, because slots are out of sight for a while; commits never are.
        """
        return self.last, self.generation

    @property
    def size(self) -> int:
        """The bytes of its values."""
        return sum(len(frame.packed) for frame in self.frames) + len(self.usage) + 60 * len(self.frames) + 200

    def began(self, generation: int, pool_id: str, edition: int) -> "Slot":
        """Return it as a new slot of this generation, without its earlier changes."""
        return Slot(self.object, generation, pool_id, edition=edition)

    def cleared(self) -> "Slot":
        """Return it unused."""
        return Slot(self.object)

    def extended(self, entries: Sequence[tuple[int, Entry]], usage: bytes) -> "Slot":
        """Return it with more changes, given with the numbers of their commits, and the sums over all its changes."""
        frames = list(self.frames)
        for part in _split(entries):
            if frames and frames[-1].raw < FRAME_SIZE:
                with suppress(ValueError):  # a damaged frame stays as it is
                    frames[-1] = frames[-1].extended(part)
                    continue
            frames.append(Frame.of(part))
        return replace(self, frames=tuple(frames), usage=usage)

    def as_sealed(self, usage: bytes) -> "Slot":
        """Return it sealed, with the sums over all its changes."""
        return replace(self, sealed=True, usage=usage)

    def to_store(self) -> StoredObject:
        """Return the object to write; without data for an unused slot."""
        if not self.generation:
            return self.object.replaced({}, self.object.annotations).with_binary({})
        meta: dict[str, Any] = {"generation": self.generation, "pool": self.pool_id, "sealed": self.sealed}
        meta |= {"edition": self.edition} if self.edition else {}
        meta["frames"] = [[len(f.packed), f.raw, f.changes, f.first, f.last, f.begins] for f in self.frames]
        values = {CHANGES: b"".join(frame.packed for frame in self.frames), USAGE: self.usage}
        changed = self.object.replaced({META: dump(meta)}, self.object.annotations)
        return changed.with_binary({key: value for key, value in values.items() if value})


def _frames(packed: bytes, listed: object) -> Iterator[Frame]:
    """Yield the frames; UnreadableSlot if the list does not fit the bytes."""
    at = 0
    for each in listed if isinstance(listed, list) else ():
        if not (isinstance(each, list) and len(each) in (5, 6) and all(type(n) is int and n >= 0 for n in each)):
            raise UnreadableSlot(f"{META} lists a frame that cannot be read")
        if max(each[:5]) > LARGEST_NUMBER:
            raise UnreadableSlot(f"{META} lists a frame with a number above {LARGEST_NUMBER}")
        size, *facts = each
        yield Frame(packed[at : at + size], *facts)
        at += size
    if at != len(packed):
        raise UnreadableSlot(f"{META} and {CHANGES} do not fit together")


def _text(entries: Sequence[tuple[int, Entry]]) -> bytes:
    return "\n".join(entry.text for _, entry in entries).encode("utf-8", "surrogatepass")


def _split(entries: Sequence[tuple[int, Entry]]) -> Iterator[Sequence[tuple[int, Entry]]]:
    """Split changes into frames of about the same size; the changes of one commit stay together."""
    start = size = 0
    for at, (commit, entry) in enumerate(entries):
        if size >= FRAME_SIZE and commit != entries[at - 1][0]:
            yield entries[start:at]
            start, size = at, 0
        size += entry.size
    yield entries[start:]
