"""Usage as a table for people, as JSON for programs, and as CSV for spreadsheets."""

from datetime import timedelta
from typing import Any

from cimaster.common.times import format_time, roughly
from cimaster.pool.records.json_values import dump
from cimaster.pool.usage.figures import STATES, Figures
from cimaster.pool.usage.report import Row
from cimaster.pool.usage.sums import HOUR, EndedHold
from cimaster.services.usage import UsageReport
from cimaster.web import text_lists
from cimaster.web.csv_text import csv_text

_COLUMNS = ("inUse", *STATES, "takes", "waitP50", "waitP95", "withinOneMinute", "failures", "quarantines")


def as_text(report: UsageReport) -> str:
    """Return a line for each row, their sum, and the longest holds."""
    lines = [f"{format_time(report.span.since)} until {format_time(report.span.until)}\n"]
    if not report.rows:
        lines.append("no usage is recorded in this span: choose another one, or wait until clusters are used\n")
    else:
        heads = [report.by, "in use", *STATES, "takes", "p50", "p95", "≤1 min", "failures", "quarantines"]
        heads += ["cost"] if report.costs else []
        rows = [(row.label or "-", row.figures, _cost(report, row.label)) for row in report.rows]
        rows.append(("total", report.total, sum(report.costs.values()) if report.costs else None))
        table = [_line(report, label, figures, cost) for label, figures, cost in rows]
        lines.append(text_lists.aligned([[head.upper() for head in heads], *table]))
        lines.append(f"{report.takes_per_hour:.1f} takes per hour\n")
    if report.holds:
        lines += ["longest holds:\n", text_lists.aligned([_hold_line(report, hold) for hold in report.holds])]
    if report.trouble:
        lines.append(f"incomplete, because the archive cannot be read: {report.trouble}\n")
    return "".join(lines)


def _line(report: UsageReport, label: str, figures: Figures, cost: float | None) -> list[str]:
    states = [f"{figures.seconds.get(state, 0) / HOUR:.1f} h" for state in STATES]
    waits = ["-" if wait is None else roughly(timedelta(seconds=wait)) for wait in map(figures.wait, (0.5, 0.95))]
    counts = [str(figures.failures), str(figures.quarantines)]
    line = [label, percent(figures.utilisation), *states, str(figures.takes), *waits]
    line += [percent(figures.within_a_minute), *counts]
    return [*line, "-" if cost is None else f"{cost:.2f}"] if report.costs else line


def _hold_line(report: UsageReport, hold: EndedHold) -> list[str]:
    return [roughly(timedelta(seconds=hold.seconds)), hold.cluster, hold.holder, _ended(report, hold) or "goes on"]


def _ended(report: UsageReport, hold: EndedHold) -> str | None:
    ended = report.ended(hold)
    return format_time(ended) if ended else None


def percent(share: float | None) -> str:
    """Format a share for people."""
    return "-" if share is None else f"{share:.0%}".replace("%", " %")


def _cost(report: UsageReport, label: str) -> float | None:
    return report.costs.get(label) if report.by == "cluster" else None


def as_json(report: UsageReport) -> str:
    """Return the report as JSON."""
    rows = [
        {report.by: row.label, **_members(row.figures), **_cost_member(_cost(report, row.label))} for row in report.rows
    ]
    costs = _cost_member(sum(report.costs.values()) if report.costs else None)
    total = {**_members(report.total), "takesPerHour": round(report.takes_per_hour, 3), **costs}
    holds = [
        {"cluster": h.cluster, "holder": h.holder, "hours": _hours(h.seconds), "ended": _ended(report, h)}
        for h in report.holds
    ]
    span = {"since": format_time(report.span.since), "until": format_time(report.span.until)}
    trouble = {"trouble": report.trouble} if report.trouble else {}
    return dump({**span, "by": report.by, "usage": rows, "total": total, "longestHolds": holds, **trouble})


def _members(figures: Figures) -> dict[str, Any]:
    hours = {state: _hours(figures.seconds.get(state, 0)) for state in STATES}
    waits = {"waitP50": figures.wait(0.5), "waitP95": figures.wait(0.95)}
    shares = {"inUse": figures.utilisation, "withinOneMinute": figures.within_a_minute}
    counts = {"takes": figures.takes, "failures": figures.failures, "quarantines": figures.quarantines}
    rounded = {key: None if share is None else round(share, 4) for key, share in shares.items()}
    return {"hours": hours, **rounded, **counts, **waits}


def _hours(seconds: int) -> float:
    return round(seconds / HOUR, 3)


def _cost_member(cost: float | None) -> dict[str, float]:
    return {} if cost is None else {"cost": round(cost, 2)}


def as_csv(report: UsageReport) -> str:
    """Return a line for each row. Hours are decimal numbers, waits seconds, and shares are from 0 to 1."""
    heads = [report.by, *_COLUMNS, *(["cost"] if report.costs else [])]
    return csv_text(heads, (_csv_row(report, row) for row in report.rows))


def _csv_row(report: UsageReport, row: Row) -> list[object]:
    members = _members(row.figures)
    values = [members["hours"].get(column, members.get(column)) for column in _COLUMNS]
    cost = [_cost_member(_cost(report, row.label)).get("cost")] if report.costs else []
    return [row.label, *values, *cost]
