"""The one repository: everything that reads or changes the pool goes through it, on either store."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.records.pool import Answer, Rules
from cimaster.repository.committer import OUTAGE_GRACE, Committer
from cimaster.repository.snapshots import Snapshot, Snapshots
from cimaster.repository.stores.port import Store
from cimaster.repository.watcher import Watcher
from cimaster.repository.write_attempts import Decision, Pending

_LOOK = 0.05  # seconds between looks whether an answer is wanted still


@dataclass(frozen=True)
class Committed:
    """What became of a change: its answer, and the commit at which that is true."""

    answer: Answer
    commit: int


class ConfigMapRepository:
    """The pool in its store. Start it before use; `update` and the reads are for any thread."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        metrics: Metrics,
        *,
        deadline: timedelta = timedelta(seconds=20),
        clock: Clock | None = None,
    ) -> None:
        self.store = store
        clock = clock or Clock()
        self._clock = clock
        self._deadline = deadline.total_seconds()
        self._snapshots = Snapshots(store, rules, metrics, clock)
        self._committer = Committer(store, self._snapshots, metrics, clock)
        self._watcher = Watcher(store, self._snapshots, metrics)

    def start(self) -> None:
        """Start the threads; the first read happens in the background."""
        self._committer.start()
        self._watcher.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write what waits, then end the threads and let go of the store."""
        self._committer.stop(timeout)
        self._watcher.stop(timeout)
        self.store.close()

    def update(
        self,
        decide: Decision,
        *,
        fresh: bool = False,
        undo: Decision | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> Committed:
        """Carry out a change, and return its answer when it is written.

        `decide` is a pure function of the pool and the time; it may run more than once. With `fresh` it is only ever
        shown states that are not older than this call. `undo` is carried out if the change turns out to have been
        written after its caller was told that nobody knows. With `wanted` it is dropped when that says no, unless it is
        on its way. Raises the refusal of `decide` or of its answer, or StoreTrouble.
        """
        trouble = self._snapshots.trouble
        if trouble and self._clock.monotonic() - self._snapshots.trouble_since > OUTAGE_GRACE:
            raise trouble.again()  # at once: a long outage must not fill the threads that serve pages
        now = self._clock.monotonic()
        pending = Pending(decide, now, now + self._deadline, fresh, undo)
        self._committer.submit(pending)
        self._wait_for(pending, now + self._deadline + 0.5, wanted)
        if pending.error is not None:
            raise pending.error
        assert pending.answer is not None
        if pending.answer.refusal:
            raise pending.answer.refusal
        return Committed(pending.answer, pending.commit)

    def _wait_for(self, pending: Pending, until: float, wanted: Callable[[], bool] | None) -> None:
        """Return when the change has its answer, at the latest the one that the committer gives when it gives it up."""
        while not pending.done.acquire(timeout=_LOOK if wanted else max(until - self._clock.monotonic(), 0.0)):
            if self._clock.monotonic() >= until or (wanted and not wanted()):
                self._committer.give_up(pending)

    def snapshot(self, at_least: int = 0) -> Snapshot:
        """Return the newest known state; read afresh where it is older than commit `at_least`."""
        return self._snapshots.at_least(at_least)

    def soon(self, rest: float) -> Snapshot:
        """Return the newest known state, for who waits for it: what is newer is read, every `rest` seconds at most."""
        return self._snapshots.current(rest)

    def fresh(self) -> Snapshot:
        """Read the store now."""
        return self._snapshots.read()

    @property
    def newest(self) -> Snapshot | None:
        """The newest known state, without asking anybody; None before the first read succeeded."""
        return self._snapshots.newest

    @property
    def behind(self) -> bool:
        """Whether the store is known to have something newer than the snapshot."""
        return self._snapshots.behind

    @property
    def age(self) -> float:
        """Seconds since the store last confirmed the snapshot."""
        return self._snapshots.age

    @property
    def trouble(self) -> StoreTrouble | None:
        """Why the store cannot be used at the moment, if it cannot."""
        return self._snapshots.trouble or self._committer.write_trouble.current

    def now(self) -> datetime:
        """Return the time by which decisions are made: about the store's, as far as its clock and ours differ."""
        return self._snapshots.now()

    @property
    def clock_is_right(self) -> bool:
        """Whether our clock agrees with the store's; if not, nothing expires here."""
        return self._snapshots.clock_is_right

    @property
    def waiting(self) -> int:
        """How many changes wait to be written."""
        return self._committer.waiting

    @property
    def tried(self) -> bool:
        """Whether the store was asked at least once, with whatever success."""
        return self._watcher.tried

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return self._committer.alive and self._watcher.alive

    @property
    def news(self) -> int:
        """A number that grows with each change of the store, here or elsewhere; it tells what was missed since."""
        return self._snapshots.told

    def wait_for_news(self, timeout: float, since: int) -> None:
        """Wait until there are news after those that `news` told of, or `timeout` seconds are over."""
        self._snapshots.wait(timeout, since)

    def wake_waiters(self) -> None:
        """Let all that wait for news look again."""
        self._snapshots.tell()
