"""What the record of a cluster remembers of earlier jobs: the leases that ended, and the results.

Leases and results that are added have times in whole seconds, so that they are what would be read back.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, Self, TypeVar

from cimaster.pool.records import ended_lease, health, json_edit, past_uses
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.health import JobResult
from cimaster.pool.records.record import Record
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


class RecordWithMemory(Record):
    """A record that remembers; what it remembers is kept by edits that do not change it, so it is read once."""

    @property
    def ended_leases(self) -> tuple[EndedLease, ...]:
        """The last leases that ended, newest first."""
        return self._remembered[0]

    @property
    def results(self) -> tuple[JobResult, ...]:
        """The last results of jobs on it, newest first."""
        return self._remembered[1]

    @cached_property
    def _remembered(self) -> tuple[tuple[EndedLease, ...], tuple[JobResult, ...]]:
        return read(self.fields)

    def edited(self, **edits: Any) -> Self:
        """Return the record with some fields changed; None removes a field."""
        changed = self._replaced(*self._edited(edits))
        if "_remembered" in self.__dict__ and edits.keys().isdisjoint(MEMBERS):
            changed._remembered = self._remembered
        return changed

    def remembering(
        self, leases: Iterable[EndedLease], results: Iterable[JobResult], more: Mapping[str, str | None]
    ) -> Self:
        """Return the record with other leases and results to remember, newest first, and `more` edits."""
        remembered = tuple(leases), tuple(results)
        changed = self.edited(**more, **edits(*remembered))
        changed._remembered = remembered
        return changed

    def _replaced(self, fields: dict[str, Any], text: json_edit.ObjectText) -> Self:
        """Return a record with these contents in place of this one."""
        raise NotImplementedError


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


def without_ids(leases: Sequence[EndedLease]) -> dict[str, Any]:
    """Return the members that take the place of those in which earlier versions stored ids of ended leases."""
    return {ended_lease.LONG: [lease.described() for lease in leases] or None}
