"""What a cluster is doing between two changes: its state, and the job or person that has it."""

from dataclasses import dataclass, replace

from cimaster.pool.records.cluster import CHECKING, OCCUPIED, VACANT
from cimaster.pool.records.history import Entry
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
        changed = replace(self, state=entry.get_text("to"), since=second, group=group)
        if entry.event == TAKEN:
            changed = replace(changed, job=entry.job, trigger=entry.by)
        elif changed.state != OCCUPIED:
            changed = replace(changed, job="", trigger="")
        holder = "" if changed.state in _NEVER_HELD else _holder_after(entry, self.holder)
        return changed._with_holder(holder, second)

    def _with_holder(self, holder: str, second: int) -> "OpenInterval":
        begun = self.held_since if holder == self.holder else 0
        if holder and not begun and self.state != OCCUPIED:
            begun = second
        return replace(self, holder=holder, held_since=begun if holder else 0)


def _holder_after(entry: Entry, holder: str) -> str:
    if entry.event in _HOLD_BEGINS:
        return entry.get_text("newHolder") or entry.by
    return "" if entry.event in _HOLD_ENDS else holder
