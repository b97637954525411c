"""The history of each cluster: short entries that are stored in the same write as the change they describe."""

from collections import Counter
from datetime import datetime
from functools import cached_property
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.records import faults, json_edit
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
        fault = faults.of_object(value)
        return cls({"event": BROKEN, "reason": fault}, text, fault)

    @classmethod
    def of(cls, event: str, cluster: str, now: datetime, commit: int, **facts: str) -> "Entry":
        """Describe a change; empty facts are omitted."""
        given = {key: value for key, value in facts.items() if value}
        return cls({"commit": commit, **checked({"at": format_time(now), "cluster": cluster, "event": event, **given})})

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

    @cached_property
    def at(self) -> datetime | None:
        """When it happened."""
        return self.get_time("at")

    def described(self) -> str:
        """Return the entry as JSON for callers: as stored; if broken, an object with its text and fault."""
        return dump({**self.fields, "record": self.text}) if self.fault else self.text


AUTOMATIC_EVENTS = ("lease ended", "hold ended", "take undone", "held when free")
"""The events that no request caused: they are logged separately, because no request's log line has them."""

History = tuple[Entry, ...]
MAX_PER_CLUSTER, MIN_PER_CLUSTER = 20, 8
SHARED_BUDGET, TYPICAL_ENTRY = 40_000, 160  # bytes; kept small, because every write sends all of it


def parse(text: str, known: History = ()) -> History:
    """Read the stored history, oldest first, reusing `known` entries; ValueError if the text is not an array."""
    return tuple(json_edit.parse_lines(text, {entry.text: entry for entry in known}, Entry.parse))


def trimmed(history: History, budget: int, clusters: int) -> History:
    """Return the newest entries that fit into `budget` bytes, at most 8 to 20 for each cluster."""
    share = SHARED_BUDGET // (TYPICAL_ENTRY * max(clusters, 1))
    most = min(MAX_PER_CLUSTER, max(MIN_PER_CLUSTER, share))
    seen: Counter[str] = Counter()
    kept: list[Entry] = []
    for entry in reversed(history):
        seen[entry.cluster] += 1
        if seen[entry.cluster] > most:
            continue
        budget -= entry.size
        if budget < 0:
            break
        kept.append(entry)
    return tuple(reversed(kept))
