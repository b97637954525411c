"""The leases of a cluster that have ended, as its record remembers them: hashes, because they are only compared."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from cimaster.common.texts import printable
from cimaster.common.times import format_time
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.record import Fields
from cimaster.pool.records.short_forms import TIME_LENGTH, long_time, short_hash, unpadded

SHORT, LONG = ("lastLeases", "endedLeases")
"""The members of the record in which earlier versions stored them."""

HASH_LENGTHS = _ID_LENGTH, _REQUEST_LENGTH, _NAME_LENGTH = 6, 8, 5
"""Characters of the hashes: those of the lease id, the request, and each of job and build."""

_LENGTHS = (1, TIME_LENGTH, _ID_LENGTH, 10, _NAME_LENGTH, _NAME_LENGTH)  # of the parts of an entry of SHORT
_ENTRY_LENGTH = sum(_LENGTHS)
ENDINGS = {
    "f": ("finished", ""),
    "j": ("finished", "job"),
    "b": ("finished", "build"),
    "J": ("finished", "job build"),
    "e": ("expired", ""),
    "u": ("undone", ""),
}
"""How a lease ended, and by what its finish identified it, for each letter that is stored."""

_LETTERS = {ending: letter for letter, ending in ENDINGS.items()}
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
        """Return a lease that ends now, as it would be read from the record."""
        hashes = _hashes(lease.id, lease.request, lease.job, lease.build)
        return cls(*hashes, how, now.replace(microsecond=0), by, key=hashes[0])

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
        return self.id == _hash_of_id(lease_id)

    def was_of_job(self, job: str) -> bool:
        """Say whether this job had it; texts that look the same are the same."""
        return self.job == hash_of_name(job)

    def was_of_build(self, build: str) -> bool:
        """Say whether this build had it."""
        return self.build == hash_of_name(build)

    def described(self) -> dict[str, str]:
        """Return what callers see of it."""
        known = {"how": self.how, "at": format_time(self.at) if self.at else "", "by": self.by}
        return {key: value for key, value in known.items() if value}


def _hashes(lease_id: str, request_id: str, job: str, build: str) -> tuple[str, str, str, str]:
    return _hash_of_id(lease_id), hash_of_request(request_id), hash_of_name(job), hash_of_name(build)


def hash_of_request(request_id: str) -> str:
    """Return the hash by which `EndedLease.request` names a request."""
    return short_hash(request_id, _REQUEST_LENGTH)


def _hash_of_id(lease_id: str) -> str:
    return short_hash(lease_id, _ID_LENGTH)


def hash_of_name(name: str) -> str:
    """Return the hash by which an ended lease names its job or build; texts that look the same have the same."""
    return short_hash(printable(name), _NAME_LENGTH)


def letter_of(lease: EndedLease) -> str:
    """Return the letter that is stored for how a lease ended."""
    return _LETTERS.get((lease.how, lease.by)) or _LETTERS.get((lease.how, ""), _UNKNOWN_ENDING)


def read_short(stored: object) -> tuple[EndedLease, ...]:
    """Read the member SHORT: for each lease a letter, its time and its hashes.

    A remainder that an edit by hand left is ignored.
    """
    if not isinstance(stored, str):
        return ()
    ends = range(_ENTRY_LENGTH, len(stored) + 1, _ENTRY_LENGTH)
    return tuple(_read_entry(stored[end - _ENTRY_LENGTH : end]) for end in ends)


def _read_entry(entry: str) -> EndedLease:
    starts = accumulate(_LENGTHS, initial=0)
    letter, at, *hashes = (entry[start : start + length] for start, length in zip(starts, _LENGTHS, strict=False))
    lease_id, request, job, build = map(unpadded, hashes)
    how, by = ENDINGS.get(letter, ("", ""))
    return EndedLease(lease_id, request[:_REQUEST_LENGTH], job, build, how, long_time(unpadded(at)), by, key=lease_id)


def read_long(stored: object) -> tuple[EndedLease, ...]:
    """Read the member LONG: a list of objects."""
    entries = stored if isinstance(stored, list) else ()
    return tuple(EndedLease.read(Fields(entry)) for entry in entries if isinstance(entry, dict))
