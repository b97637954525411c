"""Every order in which a few processes can access the store, with every fault at every step.

The real committers run as greenlets over one store, which hands control back before each call. A schedule is the list
of choices made there: which process continues, and what happens to its write. All schedules are run in turn.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from greenlet import getcurrent, greenlet
from prometheus_client import CollectorRegistry

from cimaster.common.clock import Clock
from cimaster.errors import Problem
from cimaster.observability.metrics import Metrics
from cimaster.pool.records.pool import Answer, Rules
from cimaster.repository.committer import Committer
from cimaster.repository.pending_changes import Decision, PendingChange
from cimaster.repository.snapshots import Snapshots
from cimaster.repository.stores.port import AnswerLost, Change, Conflict, StoredObject
from cimaster.repository.write_attempts import WriteAttempts

FAULTS = ("applied", "lost before", "lost after", "conflict though applied", "late")
_LONGEST_RUN = 60
_METRICS = Metrics(CollectorRegistry())


class SteppedClock(Clock):
    """A clock that advances by a millisecond per reading, and by the length of each wait."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        self.passed += 0.001  # so that no two readings are equal
        return self.passed

    def rest(self, seconds: float) -> None:
        self.passed += seconds

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        self.passed += seconds


class Cell:
    """The stored object, shared by all processes, the objects beside it, and the delayed writes to all of them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        records = [{"name": name, "status": "finished"} for name in names]
        self.object = StoredObject(
            {"metadata": {"resourceVersion": "1"}, "data": {"cluster.json": json.dumps(records)}}
        )
        self.late: list[Callable[[], bool]] = []
        self.siblings: dict[str, Cell] = {}

    def sibling(self, name: str) -> "Cell":
        """Return another object, which is empty at first."""
        if name not in self.siblings:
            self.siblings[name] = sibling = Cell(())
            sibling.object = StoredObject({"metadata": {"name": name, "resourceVersion": "1"}})
            sibling.late = self.late
        return self.siblings[name]

    def apply(self, changed: StoredObject) -> bool:
        """Apply a write if its version is still the newest; return whether it was applied."""
        if changed.version != self.object.version:
            return False
        self.object = changed.at(str(int(changed.version) + 1))
        return True

    def holders(self) -> dict[str, str]:
        """Return the lease of each occupied cluster."""
        records = json.loads(self.object.data["cluster.json"])
        return {record["name"]: record["leaseId"] for record in records if record["status"] == "testing"}


class SteppedStore:
    """The store as one process sees it: before each call, control returns to the schedule."""

    where = "cell"
    clock_skew: float | None = None
    current_skew = 0.0
    watches_cut = 0

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def siblings(self, names: Sequence[str]) -> "Sequence[SteppedStore]":
        return [SteppedStore(self._cell.sibling(name)) for name in names]

    def read(self, not_older_than: str = "") -> StoredObject:
        getcurrent().parent.switch("read")
        return self._cell.object

    def replace(self, changed: StoredObject) -> str:
        return self.meet(changed, getcurrent().parent.switch("write"))

    def wait_for_change(self, timeout: float) -> Change | None:
        raise AssertionError("changes are reported by the schedule")

    def stop_waiting(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to close."""

    def meet(self, changed: StoredObject, fate: str) -> str:
        """Carry out a write according to its fate."""
        if fate == "lost before":
            raise AnswerLost(fate)
        if fate == "late":
            self._cell.late.append(partial(self._cell.apply, changed))
            raise AnswerLost(fate)
        applied = self._cell.apply(changed)
        if fate == "lost after":
            raise AnswerLost(fate)
        if not applied or fate == "conflict though applied":
            raise Conflict(fate)
        return self._cell.object.version


@dataclass(eq=False)
class Caller:
    """One request: its decision, the process that serves it, and its answer."""

    name: str
    decide: Decision
    after: "Caller | None" = None
    """Another request, which must be answered before this one starts."""
    kind: str = ""
    """Callers of one kind differ only in their names."""
    result: Answer | BaseException | None = None

    @property
    def may_start(self) -> bool:
        """Whether the preceding request was answered."""
        return self.after is None or self.after.result is not None


@dataclass
class Schedule:
    """The choices of one run, each with its number of options: first those of `prefix`, then always option 0."""

    prefix: list[int]
    taken: list[tuple[int, int]] = field(default_factory=list)

    def choose(self, options: int) -> int:
        """Return the index of the option that this run takes."""
        at = len(self.taken)
        choice = self.prefix[at] if at < len(self.prefix) else 0
        self.taken.append((choice, options))
        return choice

    def next(self) -> "Schedule | None":
        """Return the next schedule in depth-first order; None after the last."""
        taken = list(self.taken)
        while taken and taken[-1][0] + 1 >= taken[-1][1]:
            taken.pop()
        if not taken:
            return None
        return Schedule([choice for choice, _ in taken[:-1]] + [taken[-1][0] + 1])


class Process:
    """One replica: a committer with its own snapshots, driven step by step."""

    def __init__(self, cell: Cell, kind: type[Committer], attempts: type[WriteAttempts]) -> None:
        self.clock, store = SteppedClock(), SteppedStore(cell)
        self.snapshots = Snapshots(store, Rules(), _METRICS, self.clock)
        self.committer = kind(store, self.snapshots, _METRICS, self.clock, attempts(store.where))

    def serve(self, caller: Caller) -> None:
        """Carry out one request; runs in its own greenlet."""
        if not caller.may_start:
            getcurrent().parent.switch("idle")
        pending = PendingChange(caller.decide, self.clock.monotonic(), self.clock.monotonic() + 1e6)
        self.committer.submit(pending)
        while not pending.settled:
            self.committer.commit_once()
        caller.result = pending.answer or pending.error


@dataclass
class Run:
    """The end of one schedule."""

    cell: Cell
    callers: list[Caller]
    trace: list[str]

    def violation(self) -> str:
        """Describe what is wrong: a cluster granted twice, granted but not stored, or stored but not granted."""
        granted = [
            (c.result.text, c.result.lease) for c in self.callers if isinstance(c.result, Answer) and c.result.lease
        ]
        leases = dict(granted)
        if len(leases) != len(granted):
            return f"one cluster was granted twice: {granted}"
        return "" if leases == self.cell.holders() else f"granted {leases}, stored {self.cell.holders()}"


def runs(
    names: tuple[str, ...],
    make_callers: Callable[[], list[Caller]],
    *,
    faults: int = 1,
    committer: type[Committer] = Committer,
    attempts: type[WriteAttempts] = WriteAttempts,
    warm: bool = True,
) -> Iterator[Run]:
    """Run every schedule of the callers, each on its own replica, with at most `faults` faults."""
    schedule: Schedule | None = Schedule([])
    while schedule is not None:
        yield _run(schedule, names, make_callers(), faults, committer, attempts, warm)
        schedule = schedule.next()


def _run(
    schedule: Schedule,
    names: tuple[str, ...],
    callers: list[Caller],
    faults: int,
    committer: type[Committer],
    attempts: type[WriteAttempts],
    warm: bool,
) -> Run:
    cell = Cell(names)
    trace: list[str] = []
    processes = [Process(cell, committer, attempts) for _ in callers]
    running: dict[greenlet, tuple[Caller, str]] = {}
    for caller, process in zip(callers, processes, strict=True):
        if warm:
            _finish(greenlet(process.snapshots.read))
        running[greenlet(process.serve)] = (caller, "start")
    for lane, (caller, _) in list(running.items()):
        _advance(running, lane, caller)
    moved: set[Caller] = set()
    while running:
        if len(trace) > _LONGEST_RUN:
            raise AssertionError(f"no process makes progress: {trace}")
        lanes = [lane for lane, (caller, at) in running.items() if at != "idle" or caller.may_start]
        lanes = _different(lanes, [running[lane][0] for lane in lanes], moved)
        lane = lanes[schedule.choose(len(lanes))]
        caller, at = running[lane]
        moved.add(caller)
        fate = FAULTS[schedule.choose(len(FAULTS))] if at == "write" and faults else FAULTS[0]
        faults -= fate != FAULTS[0]
        trace.append(f"{caller.name} {at} {fate}")
        _advance(running, lane, fate)
        if cell.late and running and schedule.choose(2):
            trace.append(f"late write arrives: {cell.late.pop()()}")
    while cell.late:
        trace.append(f"late write arrives at last: {cell.late.pop()()}")
    return Run(cell, callers, trace)


def _different(lanes: list[greenlet], callers: list[Caller], moved: set[Caller]) -> list[greenlet]:
    """Leave out those that behave like another one: of the callers of one kind that have not moved, all but one."""
    chosen: dict[Caller | str, greenlet] = {}
    for lane, caller in zip(lanes, callers, strict=True):
        chosen.setdefault(caller if caller in moved or not caller.kind else caller.kind, lane)
    return list(chosen.values())


def _finish(lane: greenlet) -> None:
    lane.switch()
    while not lane.dead:
        lane.switch("applied")


def _advance(running: dict[greenlet, tuple[Caller, str]], lane: greenlet, value: object) -> None:
    caller, _ = running[lane]
    at = lane.switch(value)
    if lane.dead:
        del running[lane]
    else:
        running[lane] = (caller, at)


def refusal(caller: Caller) -> str:
    """Return the code of a caller's refusal, or nothing."""
    return caller.result.code if isinstance(caller.result, Problem) else ""
