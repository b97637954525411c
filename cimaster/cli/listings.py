"""Lists in the formats that people and scripts choose."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cimaster.cli import durations
from cimaster.cli.terminal_text import aligned, neutral

NAME, TABLE, WIDE, JSON = FORMATS = ("name", "table", "wide", "json")
USAGE_BREAKDOWNS = ("hour", "day", "week", "cluster", "job", "person", "purpose", "region")
Record = Mapping[str, Any]
Column = tuple[str, Callable[[Record], object]]


@dataclass(frozen=True)
class Listing:
    """One kind of list: its path, the member of the answer that has the records, what names one, and all columns."""

    path: str
    member: str
    name: Callable[[Record], object]
    columns: Sequence[Column]

    def names(self, data: Record) -> str:
        """Return the name of each record, a line each."""
        return "".join(f"{neutral(_text(self.name(record)))}\n" for record in self.records(data))

    def wide(self, data: Record) -> str:
        """Return a table with all columns."""
        rows = [[_text(value(record)) for _, value in self.columns] for record in self.records(data)]
        return aligned([head for head, _ in self.columns], rows)

    def records(self, data: Record) -> list[Record]:
        """Return the records."""
        found = data.get(self.member)
        return [record for record in found if isinstance(record, dict)] if isinstance(found, list) else []


def as_json(data: Record) -> str:
    """Return JSON in ASCII, so that no character of it acts on a terminal."""
    return json.dumps(data, indent=2) + "\n"


def _field(name: str) -> Callable[[Record], object]:
    return lambda record: record.get(name)


def _either(*names: str) -> Callable[[Record], object]:
    return lambda record: next((record[name] for name in names if record.get(name)), "")


def _job(job: str, build: str) -> Callable[[Record], object]:
    return lambda record: f"{record[job]} #{_text(record.get(build))}" if record.get(job) else ""


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={_text(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is None else str(value)


def _criterion(name: str) -> Callable[[Record], object]:
    """Return the function that reads one criterion of a ticket."""
    return lambda record: record["ask"].get(name) if isinstance(record.get("ask"), dict) else ""


def _health(cluster: Record) -> str:
    """Return the health of a cluster; it is stored only where it is not ok."""
    stored = cluster.get("health")
    if stored in ("suspect", "quarantined"):
        return str(stored)
    return "" if cluster.get("fault") else "ok"


def _results(cluster: Record) -> str:
    """Return the results of the last jobs, newest last."""
    stored = cluster.get("results")
    results = [result for result in stored if isinstance(result, dict)] if isinstance(stored, list) else []
    return ",".join(_text(result.get("result")) for result in reversed(results))


def _ticket_job(ticket: Record) -> object:
    """Return the job that waits, or `hold` for a person who will hold the cluster."""
    criteria = ticket.get("ask")
    return "hold" if ticket.get("holdFor") else _job("job", "build")(criteria if isinstance(criteria, dict) else {})


def _expected_wait(ticket: Record) -> str:
    seconds = ticket.get("expectedWait")
    return durations.about(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e9 else ""


def _usage_label(row: Record) -> object:
    """Return what a row of usage is about, such as its day or job."""
    return next((row[name] for name in USAGE_BREAKDOWNS if name in row), "")


def _percent(name: str) -> Callable[[Record], str]:
    def share(row: Record) -> str:
        value = row.get(name)
        return f"{value:.0%}" if isinstance(value, int | float) else ""

    return share


def _seconds(name: str) -> Callable[[Record], str]:
    def wait(row: Record) -> str:
        value = row.get(name)
        return f"{value}s" if isinstance(value, int) else ""

    return wait


CLUSTERS = Listing(
    "/clusters",
    "clusters",
    _field("name"),
    (
        ("NAME", _field("name")),
        ("STATE", _field("state")),
        ("HEALTH", _health),
        ("RESULTS", _results),
        ("PURPOSE", _field("purpose")),
        ("REGION", _field("region")),
        ("OSIMAGE", _field("osimage")),
        ("LABELS", _field("labels")),
        ("HELD-BY", _field("holdBy")),
        ("WITH", _field("holdWith")),
        ("JOB", _job("lastJob", "lastBuild")),
        ("TRIGGERED-BY", _field("lastTriggerName")),
        ("SINCE", _either("acquiredAt", "heldAt", "vacantSince")),
        ("UNTIL", _either("leaseExpires", "holdExpires")),
        ("REASON", _either("fault", "healthReason", "disabledReason", "holdDesc")),
        ("NOTE", _field("note")),
    ),
)
QUEUE = Listing(
    "/queue",
    "tickets",
    _field("id"),
    (
        ("PLACE", _field("place")),
        ("EXPECTED", _expected_wait),
        ("REQUEST", _field("id")),
        ("JOB", _ticket_job),
        ("BY", _criterion("by")),
        ("PURPOSE", _criterion("purpose")),
        ("PRIORITY", _field("priority")),
        ("SINCE", _field("since")),
        ("UNTIL", _field("until")),
        ("CONNECTED", _field("there")),
    ),
)
HISTORY = Listing(
    "/history",
    "history",
    _field("cluster"),
    (
        ("COMMIT", _field("commit")),
        ("TIME", _field("at")),
        ("CLUSTER", _field("cluster")),
        ("EVENT", _field("event")),
        ("FROM", _field("from")),
        ("TO", _field("to")),
        ("BY", _field("by")),
        ("CALLER", _field("caller")),
        ("HOLDER", _either("newHolder", "holder")),
        ("JOB", _job("job", "build")),
        ("RESULT", _field("result")),
        ("REASON", _field("reason")),
    ),
)
USAGE = Listing(
    "/usage",
    "usage",
    _usage_label,
    (
        ("LABEL", _usage_label),
        ("IN-USE", _percent("inUse")),
        ("HOURS", _field("hours")),
        ("TAKES", _field("takes")),
        ("P50", _seconds("waitP50")),
        ("P95", _seconds("waitP95")),
        ("WITHIN-1-MIN", _percent("withinOneMinute")),
        ("FAILURES", _field("failures")),
        ("QUARANTINES", _field("quarantines")),
        ("COST", _field("cost")),
    ),
)
CREATIONS = Listing(
    "/creations",
    "creations",
    _field("id"),
    (
        ("ID", _field("id")),
        ("STATE", _field("state")),
        ("PURPOSE", _field("purpose")),
        ("USER", _field("user")),
        ("BRANCH", _field("branch")),
        ("JOB", _field("job")),
        ("REQUESTED", _field("requestedAt")),
        ("CLUSTER", _field("cluster")),
        ("STATUS-LINK", _field("statusLink")),
        ("LOG-LINK", _field("logLink")),
        ("REASON", _either("fault", "reason", "message")),
    ),
)
PURPOSES = Listing(
    "/purposes",
    "purposes",
    _field("purpose"),
    (
        ("PURPOSE", _field("purpose")),
        ("CHECK", _field("check")),
        ("EVERY", _field("checkEvery")),
        ("CLEAN", _field("clean")),
        ("AFTER-EXPIRY", _field("afterExpiry")),
        ("SET-BY", _field("setBy")),
        ("SET-AT", _field("setAt")),
        ("FAULT", _field("fault")),
    ),
)
POLICIES = Listing(
    "/policies",
    "policies",
    _field("purpose"),
    (
        ("PURPOSE", _field("purpose")),
        ("MIN-VACANT", _field("minVacant")),
        ("MAX-TOTAL", _field("maxTotal")),
        ("MAX-CREATING", _field("maxCreating")),
        ("COOLDOWN", _field("cooldown")),
        ("HOURS", _field("hours")),
        ("JOB", _field("job")),
        ("BRANCH", _field("branch")),
        ("STATUS", _either("fault", "says")),
    ),
)
