"""How long a state or a use of a cluster lasted, from the changes that began and ended it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.pool.records.history import GAP, IMPORTED, Entry

BEGINS_USE = {"taken", "held", "held when free", "taken over", "handed over"}


@dataclass(frozen=True)
class Duration:
    """How long the state lasted that a change began; `lasted` is None if it is the present state."""

    lasted: timedelta | None = None


Durations = Mapping[str, Duration]
"""The durations by the text of the change. Those of states whose end is not recorded are missing."""


def of(entries: Iterable[Entry]) -> Durations:
    """Return the durations of the states that these changes began; they are newest first and leave none out."""
    durations: dict[str, Duration] = {}
    ends: dict[str, datetime] = {}
    is_complete = True
    for entry in entries:
        if entry.event == GAP:
            ends.clear()
            is_complete = False
        if not _begins_state(entry) or entry.at is None:
            continue
        if entry.cluster in ends:
            durations[entry.text] = Duration(ends[entry.cluster] - entry.at)
        elif is_complete and entry.get_text("to"):
            durations[entry.text] = Duration()
        ends[entry.cluster] = entry.at
    return durations


def _begins_state(entry: Entry) -> bool:
    """Whether the state of the cluster changed, or its user: an extension of a hold does neither."""
    return entry.event in (*BEGINS_USE, IMPORTED) or entry.get_text("from") != entry.get_text("to")
