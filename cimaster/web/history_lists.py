"""The history as text for people, as JSON and JSON lines for programs, and as CSV for spreadsheets."""

from collections.abc import Sequence

from cimaster.pool.decisions import descriptions
from cimaster.pool.records import owners
from cimaster.pool.records.history import GAP, Entry
from cimaster.pool.records.json_values import dump
from cimaster.services.history import Page
from cimaster.web.csv_text import csv_text
from cimaster.web.text_lists import aligned

_COLUMNS = (
    *("commit", "at", "cluster", "event", "from", "to", "by", "holder", "newHolder", "job", "build"),
    *("result", "waited", "reason", "missing", "since", "purpose", "region", "caller", "via"),
)


def as_text(page: Page) -> str:
    """Return one line per change, and one about changes that cannot be read."""
    note = f"incomplete, because a part of the archive cannot be read: {page.trouble}\n" if page.trouble else ""
    if not page.entries:
        return f"no changes match\n{note}"
    rows = [
        (
            entry.get_text("at"),
            entry.cluster,
            entry.event,
            "" if entry.event == GAP else f"{entry.get_text('from')} -> {entry.get_text('to')}",
            _people(entry),
            descriptions.job_label(entry.job, entry.build) if entry.job else "",
            _explanation(entry),
        )
        for entry in page.entries
    ]
    return aligned([("TIME", "CLUSTER", "EVENT", "STATE", "BY", "JOB", "REASON"), *rows]) + note


def _people(entry: Entry) -> str:
    """Return the person that did it, and the caller that sent it for them."""
    return f"{entry.by} (sent by {owners.label(entry.sent_by)})" if entry.sent_by else entry.by


def _explanation(entry: Entry) -> str:
    """Return how a test ended, whose hold changed, and why."""
    parts = (entry.get_text("result"), reason(entry) if entry.event == GAP else descriptions.reason(entry))
    return ": ".join(part for part in parts if part)


def reason(entry: Entry) -> str:
    """Return why a change happened; for missing changes, also how many there are."""
    missing = entry.get_number("missing")
    if entry.event != GAP or not missing:
        return entry.reason
    since = f" since {entry.get_text('since')}" if entry.get_text("since") else ""
    return f"{missing} changes{since}: {entry.reason}"


def as_json(page: Page) -> str:
    """Return the changes as JSON, with the position of the next ones."""
    more = {"next": str(page.following)} if page.following else {}
    more |= {"trouble": page.trouble} if page.trouble else {}
    members = [f'"history": [{", ".join(entry.described() for entry in page.entries)}]']
    members += [f"{dump(key)}: {dump(value)}" for key, value in more.items()]
    return f"{{{', '.join(members)}}}"


def as_json_lines(page: Page) -> str:
    """Return a line of JSON for each change."""
    return "".join(f"{entry.described()}\n" for entry in _with_trouble(page))


def as_csv(page: Page) -> str:
    """Return a row for each change."""
    return csv_text(_COLUMNS, ([_cell(entry, column) for column in _COLUMNS] for entry in _with_trouble(page)))


def _cell(entry: Entry, column: str) -> object:
    value = entry.fields.get(column)
    return value if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _with_trouble(page: Page) -> Sequence[Entry]:
    """Return the changes, and last an entry for those that cannot be read."""
    return [*page.entries, Entry({"event": GAP, "reason": page.trouble})] if page.trouble else page.entries
