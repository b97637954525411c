"""The leases of a cluster that have ended, in the short form in which the record remembers them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from cimaster.common.texts import printable
from cimaster.common.times import format_time
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.record import Fields
from cimaster.pool.records.short_forms import LONG_AGO, TIME_LENGTH, long_time, padded, short_hash, short_time, unpadded

STORED, STORED_EARLIER = ("lastLeases", "endedLeases")
"""The members of the record. Earlier versions cannot read the first, but keep it."""

_ID_LENGTH, _REQUEST_LENGTH, _TEXT_LENGTH = 6, 10, 5  # characters of the hashes
_LENGTHS = (1, TIME_LENGTH, _ID_LENGTH, _REQUEST_LENGTH, _TEXT_LENGTH, _TEXT_LENGTH)
_ENTRY_LENGTH = sum(_LENGTHS)
_ENDINGS = {
    "f": ("finished", ""),
    "j": ("finished", "job"),
    "b": ("finished", "build"),
    "J": ("finished", "job build"),
    "e": ("expired", ""),
    "u": ("undone", ""),
}
_LETTERS = {ending: letter for letter, ending in _ENDINGS.items()}
_UNKNOWN_ENDING = "?"


@dataclass(frozen=True)
class EndedLease:
    """A lease that is over, remembered for late callers: hashes of its ids, job and build, which are only compared.

    `how` is finished, expired or undone. `by` is how the finish identified it: `job`, `build` or `job build`; empty for
    the lease id or nothing. `key` distinguishes it from the other leases of the cluster.
    """

    id: str
    request: str
    job: str
    build: str
    how: str
    at: datetime | None = None
    by: str = ""
    key: str = field(default="", compare=False)

    @classmethod
    def of(cls, lease: Lease, how: str, now: datetime, by: str = "") -> "EndedLease":
        """Return a lease that ends now."""
        return cls(*_hashes(lease.id, lease.request, lease.job, lease.build), how, now, by)

    @classmethod
    def read(cls, entry: Fields) -> "EndedLease":
        """Read an entry of an earlier version, which stored the texts themselves."""
        lease_id = entry.get_id("id")
        return cls(
            *_hashes(lease_id, entry.get_id("request"), entry.get_text("job"), entry.get_text("build")),
            entry.get_text("how"),
            entry.get_time("at"),
            entry.get_text("by"),
            key=lease_id,
        )

    def has_id(self, lease_id: str) -> bool:
        """Say whether it had this id."""
        return self.id == _id_hash(lease_id)

    def was_of_job(self, job: str) -> bool:
        """Say whether this job had it; texts that look the same are the same."""
        return self.job == _text_hash(job)

    def was_of_build(self, build: str) -> bool:
        """Say whether this build had it."""
        return self.build == _text_hash(build)

    def described(self) -> dict[str, str]:
        """Return what callers see of it."""
        known = {"how": self.how, "at": format_time(self.at) if self.at else "", "by": self.by}
        return {key: value for key, value in known.items() if value}


def _hashes(lease_id: str, request_id: str, job: str, build: str) -> tuple[str, str, str, str]:
    return _id_hash(lease_id), hash_of_request(request_id), _text_hash(job), _text_hash(build)


def hash_of_request(request_id: str) -> str:
    """Return the hash by which `EndedLease.request` names a request."""
    return short_hash(request_id, _REQUEST_LENGTH)


def _id_hash(lease_id: str) -> str:
    return short_hash(lease_id, _ID_LENGTH)


def _text_hash(text: str) -> str:
    return short_hash(printable(text), _TEXT_LENGTH)


def read_ended(record: Mapping[str, Any]) -> tuple[EndedLease, ...]:
    """Return the leases that a record remembers, newest first."""
    stored, entries = record.get(STORED), record.get(STORED_EARLIER)
    ended = _read_leases(stored) if isinstance(stored, str) else ()
    if not isinstance(entries, list):
        return ended
    earlier = tuple(EndedLease.read(Fields(entry)) for entry in entries if isinstance(entry, dict))
    if not ended:
        return earlier
    return tuple(sorted((*earlier, *ended), key=lambda lease: lease.at or LONG_AGO, reverse=True))


def written_leases(leases: Iterable[EndedLease]) -> str:
    """Return ended leases as they are stored: for each a letter for its ending, its time and its hashes."""
    return "".join(map(_written_lease, leases))


def _written_lease(lease: EndedLease) -> str:
    letter = _LETTERS.get((lease.how, lease.by)) or _LETTERS.get((lease.how, ""), _UNKNOWN_ENDING)
    parts = (letter, short_time(lease.at), lease.id, lease.request, lease.job, lease.build)
    return "".join(padded(part, length) for part, length in zip(parts, _LENGTHS, strict=True))


def _read_leases(stored: str) -> tuple[EndedLease, ...]:
    """Read what `written_leases` wrote; a remainder that an edit by hand left is ignored."""
    ends = range(_ENTRY_LENGTH, len(stored) + 1, _ENTRY_LENGTH)
    return tuple(_read_lease(stored[end - _ENTRY_LENGTH : end]) for end in ends)


def _read_lease(entry: str) -> EndedLease:
    starts = accumulate(_LENGTHS, initial=0)
    letter, at, *hashes = (entry[start : start + length] for start, length in zip(starts, _LENGTHS, strict=False))
    lease_id, request, job, build = map(unpadded, hashes)
    how, by = _ENDINGS.get(letter, ("", ""))
    return EndedLease(lease_id, request, job, build, how, long_time(unpadded(at)), by, key=lease_id)
