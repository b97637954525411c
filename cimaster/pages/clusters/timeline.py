"""The history as pages show it: the changes with the durations of the states that they began, and the previous use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import printable
from cimaster.pages.clusters.state_durations import BEGINS_USE, Duration, Durations
from cimaster.pages.frame import outside_links
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import HELD, OCCUPIED
from cimaster.pool.records.health import RESULTS
from cimaster.pool.records.history import IMPORTED, Entry
from cimaster.pool.records.lease import UNKNOWN_USER

_PASSED_ON = {"taken over", "handed over"}
_ENDS = {"finished", "lease ended", "take undone", "released", "hold ended"} | _PASSED_ON


@dataclass(frozen=True)
class Change:
    """One change. `duration` is that of the state that began with it; None if none did, or if its end is unknown.

    `sent_by` is the caller that requested it, if that was authenticated and is not the person in `by`; `via` is its
    credential and address.
    """

    at: datetime | None
    event: str
    before: str
    after: str
    by: str
    job: str
    build: str
    reason: str
    duration: Duration | None
    result: str
    sent_by: str
    via: str

    @property
    def job_label(self) -> str:
        """The job and its build, as pages name them."""
        return descriptions.job_label(self.job, self.build)

    @property
    def job_url(self) -> str:
        """The page of the job and its build in the CI system; empty if there is none."""
        return outside_links.of_build(self.job, self.build)


@dataclass(frozen=True)
class PreviousUse:
    """The last use of the cluster that has ended."""

    used_by: str
    on_behalf_of: str
    reason: str
    ended: datetime | None
    lasted: timedelta | None


def changes(entries: Sequence[Entry], durations: Durations) -> list[Change]:
    """Return the changes in the order of the entries."""
    return [_change(entry, durations.get(entry.text)) for entry in entries]


def _change(entry: Entry, duration: Duration | None) -> Change:
    result = entry.get_text("result")
    return Change(
        at=entry.at,
        event=entry.event,
        before=entry.get_text("from"),
        after=entry.get_text("to"),
        by=entry.by,
        job=_job_of_use(entry),
        build=entry.build,
        reason=descriptions.reason(entry),
        duration=duration,
        result=result if result in RESULTS else "",
        sent_by=printable(entry.sent_by),
        via=entry.get_text("via"),
    )


def _job_of_use(entry: Entry) -> str:
    """Return the job that had the cluster; a hold after a failure names a job too, but a person has the cluster."""
    return "" if entry.event == "held" else entry.job


def previous_use(entries: Iterable[Entry]) -> PreviousUse | None:
    """Return the use before the current one; entries are newest first."""
    remaining = iter(entries)
    end = next((entry for entry in remaining if _ends_use(entry)), None)
    if end is None:
        return None
    job = end.job
    begin = next((entry for entry in remaining if entry.event in BEGINS_USE and _job_of_use(entry) == job), None)
    lasted = end.at - begin.at if begin and begin.at and end.at else None
    reason = begin.reason if begin else ""
    if job:
        person = end.by if end.event != IMPORTED else begin.by if begin else ""
        return PreviousUse(descriptions.job_label(job, end.build), person, reason, end.at, lasted)
    return PreviousUse(end.holder or end.by or UNKNOWN_USER, "", reason, end.at, lasted)


def _ends_use(entry: Entry) -> bool:
    """Say whether a use ended that the change names; an import names the job that has the cluster after it."""
    is_replaced = entry.get_text("from") in (OCCUPIED, HELD) and entry.get_text("to") != OCCUPIED
    return entry.event in _ENDS or (entry.event == IMPORTED and is_replaced)
