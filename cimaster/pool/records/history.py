"""The history of each cluster: short entries that are stored in the same write as the change they describe."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from cimaster.common.texts import same_person
from cimaster.common.times import format_time
from cimaster.pool.records import faults, history_form, json_edit
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.record import BROKEN, Record


class Entry(Record):
    """One change of one cluster: commit, time, event, state before and after, person, job, build, reason."""

    def __init__(self, fields: dict[str, Any], text: str | None = None, fault: str = "") -> None:
        super().__init__(fields, dump(fields) if text is None else text, fault)
        self.cluster = self.get_text("cluster")
        self.size = len(self.text.encode("utf-8", "surrogatepass")) + 2

    @classmethod
    def parse(cls, text: str, value: object) -> "Entry":
        """Read a stored entry. A broken one is kept unchanged while there is room for it."""
        if isinstance(value, dict):
            return cls(value, text)
        if fields := history_form.expanded(value):
            return cls(fields, text)
        fault = faults.of_object(value)
        return cls({"event": BROKEN, "reason": fault}, text, fault)

    @classmethod
    def of(cls, event: str, cluster: str, now: datetime, commit: int, **facts: str) -> "Entry":
        """Describe a change; empty facts are omitted."""
        given = {key: value for key, value in facts.items() if value}
        fields = {"commit": commit, **checked({"at": format_time(now), "cluster": cluster, "event": event, **given})}
        return cls(fields, dump(history_form.shortened(fields)))

    def edited(self, edits: Mapping[str, str]) -> "Entry":
        """Return the entry with other texts in some of its members, in the form in which it is stored."""
        fields = {**self.fields, **checked(edits)}
        return Entry(fields, dump(fields if self.text.startswith("{") else history_form.shortened(fields)))

    @property
    def event(self) -> str:
        """What happened, such as `taken` or `hold extended`."""
        return self.get_text("event")

    @property
    def by(self) -> str:
        """The person or bot that did it."""
        return self.get_text("by")

    @property
    def job(self) -> str:
        """The job that had the cluster."""
        return self.get_text("job")

    @property
    def build(self) -> str:
        """The build of that job."""
        return self.get_text("build")

    @property
    def reason(self) -> str:
        """Why it happened."""
        return self.get_text("reason")

    @property
    def holder(self) -> str:
        """The holder before this change, if another person or its expiry ended the hold."""
        return self.get_text("holder")

    @property
    def sent_by(self) -> str:
        """The caller that requested it, if that was authenticated and is not the person in `by`."""
        caller = self.get_text("caller")
        return "" if same_person(caller, self.by) else caller

    @cached_property
    def at(self) -> datetime | None:
        """When it happened."""
        return self.get_time("at")

    def described(self) -> str:
        """Return the entry as a JSON object for callers and the archive; if broken, with its text and fault."""
        if self.fault:
            return dump({**self.fields, "record": self.text})
        return self.text if self.text.startswith("{") else dump(self.fields)


AUTOMATIC_EVENTS = ("lease ended", "hold ended", "take undone", "held when free")
"""The events that no request caused: they are logged separately, because no request's log line has them."""

GAP = "changes missing"
"""The event of the entry that stands in place of changes that were dropped, or that cannot be read."""

IMPORTED = "imported"
"""The event of a cluster that `cimaster import --replace` adds, or gives another state, job or holder."""

_GAP_SIZE = 300  # bytes of such an entry

History = tuple[Entry, ...]


def parse(text: str, known: History = ()) -> History:
    """Read the stored history, oldest first, reusing `known` entries; ValueError if the text is not an array."""
    return tuple(json_edit.parse_lines(text, {entry.text: entry for entry in known}, Entry.parse))


def numbered(history: History, newest: int) -> list[tuple[int, Entry]]:
    """Return the entries with the numbers of their commits.

    The numbers ascend and are at most `newest`, whatever an edit by hand has left. An entry without a commit belongs to
    the one before it; at the beginning, to the first that has one.
    """
    commit = next((number for entry in history if (number := entry.get_number("commit"))), newest)
    pairs: list[tuple[int, Entry]] = []
    for entry in history:
        commit = max(entry.get_number("commit"), commit)
        pairs.append((min(commit, newest), entry))
    return pairs


def attributed(history: History, first: int, caller: Mapping[str, str]) -> History:
    """Return the changes, of which those from place `first` on name the caller that made them."""
    return (*history[:first], *(entry.edited(caller) for entry in history[first:]))


def trimmed(history: History, budget: int) -> tuple[History, int]:
    """Return the newest entries that fit into `budget` bytes, and how many were dropped.

    An entry with the event GAP says how many are missing, and since when.
    """
    excess = sum(entry.size for entry in history) - budget
    if excess <= 0:
        return history, 0
    excess += _GAP_SIZE + budget // 10  # so that not every write has to drop some
    first = 0
    while first < len(history) and excess > 0:
        excess -= history[first].size
        first += 1
    dropped, kept = history[:first], history[first:]
    lost = sum(entry.event != GAP for entry in dropped)
    if budget < _GAP_SIZE:
        return kept, lost
    missing = sum(_missing(entry) for entry in dropped)
    return (gap_entry(missing, dropped[0], dropped[-1], "they could not be archived in time"), *kept), lost


def gap_entry(missing: int, first: Entry, last: Entry, reason: str) -> Entry:
    """Return the entry that stands for missing changes, from `first` to `last`."""
    since = format_time(began) if (began := first.get_time("since") or first.at) else ""
    at = format_time(last.at) if last.at else ""
    facts = {"at": at, "event": GAP, "missing": missing, "since": since, "reason": reason}
    return Entry({"commit": last.get_number("commit"), **{key: value for key, value in facts.items() if value}})


def _missing(entry: Entry) -> int:
    return max(entry.get_number("missing"), 1) if entry.event == GAP else 1
