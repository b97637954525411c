"""The page about usage: pictures and tables of the same sums that `/usage` has."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import render_template, request, url_for

from cimaster.common.times import format_time
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import latest
from cimaster.pages.usage import charts
from cimaster.pool import Pool
from cimaster.pool.usage import report
from cimaster.pool.usage.figures import STATES
from cimaster.pool.usage.report import GroupFilter, Row
from cimaster.repository.snapshots import Snapshot
from cimaster.services.usage import PERSON, Question, UsageReport
from cimaster.web.components import components
from cimaster.web.usage_lists import percent

SPANS = {"1d": "last 24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
UNITS = {"hour": "an hour", "day": "a day", "week": "a week"}
_DEFAULT_UNIT = {"1d": "hour", "7d": "day", "30d": "day", "90d": "week"}
_MOST_DAYS_BY_HOUR = 7
_LISTED = 10


@dataclass(frozen=True)
class Choice:
    """What the visitor wants to see."""

    span: str
    unit: str
    purpose: str
    region: str

    @classmethod
    def requested(cls) -> "Choice":
        """Read the form; what it does not offer is ignored."""
        given = request.args
        span = given.get("span", "")
        span = span if span in SPANS else "7d"
        unit = given.get("unit", "")
        if unit not in UNITS or (unit == "hour" and int(span[:-1]) > _MOST_DAYS_BY_HOUR):
            unit = _DEFAULT_UNIT[span]
        return cls(span, unit, given.get("purpose", "")[:253], given.get("region", "")[:253])

    def since(self, now: datetime) -> datetime:
        """Return the time from which the page shows usage: today counts as one of the days."""
        return now - timedelta(days=int(self.span[:-1]) - (self.span != "1d"))


@pages.get("/ui/usage")
def usage_page() -> str:
    """Show the usage."""
    snapshot, choice = latest(), Choice.requested()
    over_time = _report(snapshot, choice, choice.unit)
    labels = report.labels(choice.unit, over_time.span)
    names = components().usage.names
    return render_template(
        "usage.html",
        choice=choice,
        spans=SPANS,
        units=UNITS,
        states=STATES,
        names=names,
        report=over_time,
        rows=_in_order(labels, over_time),
        states_chart=charts.of_states(labels, over_time.rows),
        takes_chart=charts.of_takes(labels, over_time.rows),
        jobs=_report(snapshot, choice, "job").rows[:_LISTED],
        people=_report(snapshot, choice, PERSON).rows[:_LISTED] if names else [],
        faults=_faults(_report(snapshot, choice, "cluster")),
        length=charts.length,
        hours=_hours,
        percent=percent,
        csv=lambda by: _csv(choice, over_time, by),
        **_groups(snapshot.pool),
    )


def _report(snapshot: Snapshot, choice: Choice, by: str) -> UsageReport:
    usage, since = components().usage, choice.since(components().clusters.now())
    return usage.report(snapshot, Question(by, since, None, GroupFilter(choice.purpose, choice.region)))


def _in_order(labels: list[str], found: UsageReport) -> list[Row]:
    """Return the rows that have figures, the newest first."""
    by_label = {row.label: row for row in found.rows}
    return [by_label[label] for label in reversed(labels) if label in by_label]


def _faults(found: UsageReport) -> list[Row]:
    """Return the clusters with the most quarantines and failures."""
    rows = [row for row in found.rows if row.figures.failures or row.figures.quarantines]
    return sorted(rows, key=lambda row: (row.figures.quarantines, row.figures.failures), reverse=True)[:_LISTED]


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.1f} h"


def _csv(choice: Choice, found: UsageReport, by: str) -> str:
    wanted = {"purpose": choice.purpose, "region": choice.region}
    given: dict[str, Any] = {key: value for key, value in wanted.items() if value}
    return url_for("api.usage", by=by, since=format_time(found.span.since), format="csv", **given)


def _groups(pool: Pool) -> dict[str, list[tuple[str, str]]]:
    """Return the purposes and regions to choose from."""
    regions = {cluster.region for cluster in pool.clusters if not cluster.fault and cluster.region}
    return {"purpose_choices": _choices(pool.purposes()), "region_choices": _choices(sorted(regions))}


def _choices(names: list[str]) -> list[tuple[str, str]]:
    return [("", "all"), *((name, name) for name in names)]
