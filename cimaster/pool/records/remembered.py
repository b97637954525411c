"""What the record of a cluster remembers of earlier jobs: the leases that ended, and the results."""

from collections.abc import Iterable, Mapping
from typing import Any

from cimaster.pool.records import ended_lease, health

_LEASES = (ended_lease.STORED, ended_lease.STORED_EARLIER)
_RESULTS = (health.RESULTS_STORED, health.RESULTS_STORED_EARLIER)
MEMBERS = (*_LEASES, *_RESULTS)
"""The members of the record that are dropped if the stored object is full."""


def described(
    record: Mapping[str, Any], leases: Iterable[ended_lease.EndedLease], results: Iterable[health.JobResult]
) -> dict[str, Any]:
    """Return the members that callers see instead of the short forms."""
    shown: dict[str, Any] = {}
    if ended_lease.STORED in record:
        shown |= {ended_lease.STORED: None, ended_lease.STORED_EARLIER: [lease.described() for lease in leases]}
    if not record.keys().isdisjoint(_RESULTS):
        shown |= {health.RESULTS_STORED: None, health.RESULTS_STORED_EARLIER: [each.described() for each in results]}
    return shown
