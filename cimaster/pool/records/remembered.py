"""What the record of a cluster remembers of earlier jobs: the leases that ended, and the results."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from cimaster.pool.records import ended_lease, health, past_uses
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.health import JobResult
from cimaster.pool.records.short_forms import LONG_AGO

STORED = "lastUses"
"""The member of the record. Earlier versions cannot read it, but keep it."""

_RESULTS = (health.SHORT_RESULTS, health.LONG_RESULTS)
_EARLIER = (ended_lease.SHORT, ended_lease.LONG, *_RESULTS)
MEMBERS = (STORED, *_EARLIER)
"""The members of the record that are dropped if the stored object is full."""


class _WithTime(Protocol):
    @property
    def at(self) -> datetime | None: ...


_Kind = TypeVar("_Kind", bound=_WithTime)


def read(record: Mapping[str, Any]) -> tuple[tuple[EndedLease, ...], tuple[JobResult, ...]]:
    """Return the leases and the results that a record remembers, newest first, without those that cannot be read."""
    stored = record.get(STORED)
    uses = past_uses.read(stored) if isinstance(stored, str) else ()
    leases = _newest_first(
        [use.lease for use in uses if use.lease],
        ended_lease.read_short(record.get(ended_lease.SHORT)),
        ended_lease.read_long(record.get(ended_lease.LONG)),
    )
    results = _newest_first(
        [use.result for use in uses if use.result],
        health.read_results(record.get(health.SHORT_RESULTS)),
        health.read_results(record.get(health.LONG_RESULTS)),
    )
    return leases, tuple(result for result in results if result.result in health.RESULTS)


def _newest_first(*forms: Sequence[_Kind]) -> tuple[_Kind, ...]:
    """Return what is stored in these forms; those of one form are in order."""
    found = [each for form in forms for each in form]
    if len(found) == max(map(len, forms)):
        return tuple(found)
    return tuple(sorted(found, key=lambda each: each.at or LONG_AGO, reverse=True))


def edits(leases: Sequence[EndedLease], results: Sequence[JobResult]) -> dict[str, str | None]:
    """Return the edits of a record that is to remember these, newest first."""
    text = past_uses.written(past_uses.paired(leases, results))
    return {STORED: text or None, **dict.fromkeys(_EARLIER)}


def described(record: Mapping[str, Any], leases: Sequence[EndedLease], results: Sequence[JobResult]) -> dict[str, Any]:
    """Return the members that callers see instead of the short forms."""
    shown: dict[str, Any] = {}
    if STORED in record or ended_lease.SHORT in record:
        shown |= {STORED: None, ended_lease.SHORT: None}
        shown |= {ended_lease.LONG: [lease.described() for lease in leases] or None}
    if results or not record.keys().isdisjoint(_RESULTS):
        shown |= {health.SHORT_RESULTS: None, health.LONG_RESULTS: [result.described() for result in results]}
    return shown
