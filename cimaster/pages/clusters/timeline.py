"""The history of a cluster for people: what happened, who did it, how long it lasted, and who had it before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.times import parse_duration, roughly
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.history import Entry

_PASSED_ON = {"taken over", "handed over"}
_BEGINS = {"taken", "held"} | _PASSED_ON
_ENDS = {"finished", "lease ended", "take undone", "released", "hold ended"} | _PASSED_ON


@dataclass(frozen=True)
class Change:
    """One change; `lasted` is until the next one, and None for the newest."""

    at: datetime | None
    event: str
    before: str
    after: str
    by: str
    job: str
    reason: str
    lasted: timedelta | None


@dataclass(frozen=True)
class PreviousUse:
    """A use of the cluster that is over."""

    used_by: str
    on_behalf_of: str
    reason: str
    ended: datetime | None
    lasted: timedelta | None


def changes(entries: Sequence[Entry]) -> list[Change]:
    """Return the changes of one cluster, newest first, with how long what they led to lasted."""
    told, newer = [], None
    for entry in entries:
        told.append(_change(entry, newer))
        newer = entry.at
    return told


def _change(entry: Entry, newer: datetime | None) -> Change:
    job = descriptions.job_label(entry.job, entry.build) if entry.job else ""
    other = f"{entry.holder}'s hold" if entry.holder else ""
    waited = parse_duration(entry.get_text("waited"))
    to = f"to {entry.get_text('newHolder')}" if entry.get_text("newHolder") else ""
    after = f"after waiting {roughly(waited)}" if waited else ""
    reason = ": ".join(part for part in (other, to, entry.reason, after) if part)
    lasted = newer - entry.at if newer and entry.at else None
    return Change(entry.at, entry.event, entry.get_text("from"), entry.get_text("to"), entry.by, job, reason, lasted)


def previous_use(entries: Iterable[Entry]) -> PreviousUse | None:
    """Return who had the cluster before its present user; entries are newest first."""
    remaining = iter(entries)
    end = next((entry for entry in remaining if entry.event in _ENDS), None)
    if end is None:
        return None
    job = end.job
    begin = next((entry for entry in remaining if entry.event in _BEGINS and entry.job == job), None)
    lasted = end.at - begin.at if begin and begin.at and end.at else None
    why = begin.reason if begin else ""
    if job:
        return PreviousUse(descriptions.job_label(job, end.build), end.by, why, end.at, lasted)
    return PreviousUse(end.holder or end.by or "an unknown user", "", why, end.at, lasted)
