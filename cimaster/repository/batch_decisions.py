"""Decide a batch of changes on one state: what has expired, then each change in order, then the notices they cause.

It also counts and logs what a batch changed, once that is written.
"""

import logging
from collections.abc import Iterable

from cimaster.observability.metrics import Metrics
from cimaster.pool import expire
from cimaster.pool.decisions import notices
from cimaster.pool.decisions.notices import NoRoutes, Routes
from cimaster.pool.records.history import AUTOMATIC_EVENTS
from cimaster.pool.records.notice import channel_of
from cimaster.pool.records.pool import Pool
from cimaster.repository.pending_changes import PendingChange
from cimaster.repository.snapshots import Snapshot, Snapshots
from cimaster.repository.write_attempts import Results, decide_each

_log = logging.getLogger(__name__)


class BatchDecisions:
    """Decides for the committer. While the clock is wrong, nothing expires and no time causes a notice."""

    def __init__(self, snapshots: Snapshots, metrics: Metrics, routes: Routes | None = None) -> None:
        self.routes: Routes = routes or NoRoutes()
        self._snapshots, self._metrics = snapshots, metrics

    def decide(self, changes: Iterable[PendingChange], base: Pool) -> tuple[Results, Pool]:
        """Return the results of the changes, and the pool to write; the same pool if nothing changes."""
        now, clock_is_right = self._snapshots.now(), self._snapshots.clock_is_right
        current = expire(base, now) if clock_is_right else base
        results, pool = decide_each(changes, current, now)
        try:
            return results, notices.record(base, pool, now, self.routes, clock_is_right)
        except Exception:  # a change must not fail because of its notice
            _log.exception("no notices are recorded for this change")
            self._metrics.thread_errors.labels("committer").inc()
            return results, pool

    def report(self, written: Snapshot, changes: int) -> None:
        """Count a write and its events; log the events that no caller requested."""
        entries = written.pool.entries_of(written.commit)
        events = [entry.event for entry in entries]
        self._metrics.count_commit(changes, written.received_at - written.started_at, events)
        for entry in (entry for entry in entries if entry.event in AUTOMATIC_EVENTS):
            _log.info("%s", entry.event, extra={"entry": entry.fields})
        self._report_lost(written.pool)

    def _report_lost(self, written: Pool) -> None:
        """Count and log the notices that a write dropped, because the outbox was full."""
        for notice in written.outbox.lost:
            _log.warning("the outbox is full: the notice %s (%s) is dropped", notice.id, notice.kind or notice.fault)
            for destination in notice.destinations:
                self._metrics.notices.labels(channel_of(destination), "given_up").inc()
