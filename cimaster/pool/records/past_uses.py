"""The past uses of a cluster in the short form in which its record remembers them.

A use is a lease that ended, the result of a job, or, in most cases, both: then its time is stored once, and so are the
names of job and build, from which the hashes of the lease follow. The text of a use has:

- a letter for how the lease ended and one for the result, or `-` in place of either, and the time;
- if a lease ended: the hashes of its id and of its request; without a result, those of job and build too;
- if there is a result: `-` and the job, or the place of the use in this text that has the same job; then the build.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cimaster.pool.records import ended_lease, health
from cimaster.pool.records.ended_lease import EndedLease, hash_of_name
from cimaster.pool.records.health import JobResult
from cimaster.pool.records.short_forms import (
    TIME_LENGTH,
    long_number,
    long_time,
    padded,
    short_number,
    short_time,
    unpadded,
)

_NONE = "-"
_ID_LENGTH, _REQUEST_LENGTH, _NAME_LENGTH = ended_lease.HASH_LENGTHS
_NAME_END = ","
_ESCAPES = (("%", "%25"), (_NAME_END, "%2C"))
_PLACES = "0123456789"


class PastUse(NamedTuple):
    """A lease that ended, the result of its job, or both."""

    lease: EndedLease | None
    result: JobResult | None

    @property
    def at(self) -> datetime | None:
        """When it ended."""
        either = self.lease or self.result
        return either.at if either else None


def paired(leases: Sequence[EndedLease], results: Sequence[JobResult]) -> list[PastUse]:
    """Return the uses that these leases and results, newest first, belong to; both keep their order."""
    uses: list[PastUse] = []
    remaining = list(results)
    for lease in leases:
        place = next((place for place, result in enumerate(remaining) if _belong_together(lease, result)), None)
        if place is None:
            uses.append(PastUse(lease, None))
            continue
        uses += [PastUse(None, result) for result in remaining[:place]]
        uses.append(PastUse(lease, remaining[place]))
        del remaining[: place + 1]
    return uses + [PastUse(None, result) for result in remaining]


def _belong_together(lease: EndedLease, result: JobResult) -> bool:
    same_time = short_time(lease.at) == short_time(result.at)
    return same_time and lease.was_of_job(result.job) and lease.was_of_build(result.build)


def written(uses: Iterable[PastUse]) -> str:
    """Return past uses as they are stored."""
    jobs: list[str | None] = []
    texts: list[str] = []
    for use in uses:
        lease, result = use
        texts.append(ended_lease.letter_of(lease) if lease else _NONE)
        texts.append(health.LETTERS[result.result] if result else _NONE)
        texts.append(padded(short_time(use.at), TIME_LENGTH))
        texts.append(_written_hashes(lease, with_names=result is None) if lease else "")
        texts.append(_written_names(result, jobs) if result else "")
        jobs.append(result.job if result else None)
    return "".join(texts)


def _written_hashes(lease: EndedLease, *, with_names: bool) -> str:
    hashes = padded(lease.id, _ID_LENGTH) + padded(lease.request, _REQUEST_LENGTH)
    return hashes + padded(lease.job, _NAME_LENGTH) + padded(lease.build, _NAME_LENGTH) if with_names else hashes


def _written_names(result: JobResult, jobs: Sequence[str | None]) -> str:
    """Return job and build; `jobs` are those of the uses before this one."""
    known = result.job in jobs[: len(_PLACES)]
    job = _PLACES[jobs.index(result.job)] if known else f"{_NONE}{_escaped(result.job)}{_NAME_END}"
    return f"{job}{_escaped(short_number(result.build))}{_NAME_END}"


def _escaped(name: str) -> str:
    for character, escape in _ESCAPES:
        name = name.replace(character, escape)
    return name


def read(stored: str) -> tuple[PastUse, ...]:
    """Read what `written` wrote; what follows a use that an edit by hand has spoilt is ignored."""
    reader, uses = _Reader(stored), list[PastUse]()
    try:
        while reader.rest:
            uses.append(_read_use(reader, uses))
    except ValueError:
        pass
    return tuple(uses)


class _Reader:
    """Reads a text from its beginning; ValueError where it is too short."""

    def __init__(self, text: str) -> None:
        self.rest = text

    def take(self, length: int) -> str:
        """Return the next characters."""
        if len(self.rest) < length:
            raise ValueError("the text is too short")
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def take_name(self) -> str:
        """Return the next name."""
        taken, end, self.rest = self.rest.partition(_NAME_END)
        if not end:
            raise ValueError("a name has no end")
        for character, escape in reversed(_ESCAPES):
            taken = taken.replace(escape, character)
        return taken


def _read_use(reader: _Reader, before: Sequence[PastUse]) -> PastUse:
    ending, letter = reader.take(1), reader.take(1)
    at = long_time(unpadded(reader.take(TIME_LENGTH)))
    lease_id = request = job_hash = build_hash = ""
    if ending != _NONE:
        lease_id, request = unpadded(reader.take(_ID_LENGTH)), unpadded(reader.take(_REQUEST_LENGTH))
    result = None
    if letter != _NONE:
        job, build = _read_job(reader, before), long_number(reader.take_name())
        result = JobResult(health.RESULT_OF.get(letter, ""), job, build, at)
    if ending == _NONE:
        return PastUse(None, result)
    if result:
        job_hash, build_hash = hash_of_name(result.job), hash_of_name(result.build)
    else:
        job_hash, build_hash = unpadded(reader.take(_NAME_LENGTH)), unpadded(reader.take(_NAME_LENGTH))
    how, by = ended_lease.ENDINGS.get(ending, ("", ""))
    return PastUse(EndedLease(lease_id, request, job_hash, build_hash, how, at, by, key=lease_id), result)


def _read_job(reader: _Reader, before: Sequence[PastUse]) -> str:
    place = _PLACES.find(reader.take(1))
    if place < 0:
        return reader.take_name()
    if place >= len(before):
        raise ValueError("a job is not named")
    result = before[place].result
    return result.job if result else ""
