"""What a cluster is doing between two changes: its state, and the job or person that has it."""

from dataclasses import dataclass

from cimaster.pool.records.cluster import CHECKING, OCCUPIED, VACANT
from cimaster.pool.records.history import IMPORTED, Entry
from cimaster.pool.usage.sums import Group

TAKEN = "taken"
_HOLD_BEGINS = ("held", "taken over", "handed over", "held when free")
_NEVER_HELD = (VACANT, CHECKING, "")  # the last one is deleted
_HOLD_ENDS = ("released", "hold ended", TAKEN)


@dataclass(frozen=True)
class OpenInterval:
    """A cluster's current state, since a time in seconds since 1970.

    `trigger` is the person that triggered the job. A `holder` has the cluster unless a job does; `held_since` is 0
    until then.
    """

    state: str
    since: int
    group: Group = Group()
    job: str = ""
    trigger: str = ""
    holder: str = ""
    held_since: int = 0

    @property
    def person(self) -> str:
        """The person whose usage this is: the holder, or the one that triggered the job."""
        return self.trigger if self.state == OCCUPIED else self.holder

    def after(self, entry: Entry, second: int, group: Group) -> "OpenInterval":
        """Return the interval that begins with a change."""
        state, job, trigger = entry.get_text("to"), self.job, self.trigger
        if entry.event == TAKEN:
            job, trigger = entry.job, entry.by
        elif state != OCCUPIED:
            job = trigger = ""
        elif entry.event == IMPORTED:  # `by` is the admin, and who triggered the job is not recorded
            job, trigger = entry.job, ""
        holder = "" if state in _NEVER_HELD else _holder_after(entry, self.holder)
        held_since = self.held_since if holder and holder == self.holder else 0
        if holder and not held_since and state != OCCUPIED:
            held_since = second
        return OpenInterval(state, second, group, job, trigger, holder, held_since)


def _holder_after(entry: Entry, holder: str) -> str:
    if entry.event == IMPORTED:
        return entry.get_text("newHolder")
    if entry.event in _HOLD_BEGINS:
        return entry.get_text("newHolder") or entry.by
    return "" if entry.event in _HOLD_ENDS else holder
