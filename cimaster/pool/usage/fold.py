"""Sum up the history, change by change; what has begun and not ended yet is carried on."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cimaster.pool.records.cluster import OCCUPIED, Cluster
from cimaster.pool.records.health import ERROR, FAIL, QUARANTINED
from cimaster.pool.records.history import GAP, Entry
from cimaster.pool.records.record import BROKEN
from cimaster.pool.usage.figures import STATES
from cimaster.pool.usage.intervals import TAKEN, OpenInterval
from cimaster.pool.usage.sums import MOST_GROUPS, OTHERS, EndedHold, Group, Sums

_BAD_RESULTS = (FAIL, ERROR)
_REMEMBERED_DELETED = 300  # clusters, so that one that comes back is not taken for one that was always there


@dataclass
class UsageFold:
    """The sums over `counted` changes, and what each cluster is doing; times are in seconds since 1970.

    `begun` is the time of the first change in the sums. All changes are known `since` a time, which may be earlier: a
    cluster that has not changed since then has no open interval. Both are None before the first change.
    """

    since: int | None = None
    begun: int | None = None
    counted: int = 0
    open: dict[str, OpenInterval] = field(default_factory=dict)
    sums: Sums = field(default_factory=Sums)
    groups: set[Group] = field(default_factory=set)

    def carried(self) -> "UsageFold":
        """Return a fold that goes on from here, without the sums so far."""
        deleted = [cluster for cluster, interval in self.open.items() if not interval.state]
        forgotten = set(deleted[:-_REMEMBERED_DELETED])
        kept = {cluster: interval for cluster, interval in self.open.items() if cluster not in forgotten}
        return UsageFold(self.since, open=kept)

    @property
    def complete_since(self) -> int:
        """The time from which the sums have all usage: earlier parts may be in the fold that this one carries on."""
        return self.begun if self.begun is not None and self.since is not None and self.since < self.begun else 0

    def add(self, entry: Entry) -> None:
        """Add the next change; one that cannot be read counts for nothing."""
        self.counted += 1
        if entry.fault or entry.at is None:
            return
        second = int(entry.at.timestamp())
        if entry.event == GAP:
            self._forget_states(entry, second)
            return
        self.since = second if self.since is None else self.since
        self.begun = second if self.begun is None else self.begun
        if entry.cluster and entry.event != BROKEN:
            self._add_change(entry, second)

    def until(self, end: int, clusters: Iterable[Cluster]) -> "UsageFold":
        """Return the fold with the time of these clusters up to `end` added, as if each had changed then.

        A cluster without a known change has been in its present state since the fold began.
        """
        added = UsageFold(self.since, self.begun, self.counted, {}, self.sums, set(self.groups))
        for cluster in clusters:
            current = self.open.get(cluster.name) or self._unchanged(cluster)
            if current is not None and cluster.name:
                added._close(cluster.name, current, end)
                added._end_hold(cluster.name, current, "", end)
        return added

    def _unchanged(self, cluster: Cluster) -> OpenInterval | None:
        if self.since is None:
            return None
        state, group = cluster.state, self._group(cluster.purpose, cluster.region)
        lease, hold = cluster.lease, cluster.hold
        interval = OpenInterval(state, self.since, group, lease.job if lease else "", lease.by if lease else "")
        if hold is None:
            return interval
        return replace(interval, holder=hold.by, held_since=0 if state == OCCUPIED else self.since)

    def _add_change(self, entry: Entry, second: int) -> None:
        before = self.open.pop(entry.cluster, None) or self._before(entry)
        if not entry.get_text("from"):  # added again, after it had disappeared without a recorded change
            before = OpenInterval("", before.since, before.group)
        second = max(second, before.since)
        self._close(entry.cluster, before, second)
        after = before.after(entry, second, self._group_after(entry, before))
        self._end_hold(entry.cluster, before, after.holder, second)
        self._count(entry, second, after.group)
        self.open[entry.cluster] = after

    def _before(self, entry: Entry) -> OpenInterval:
        """Return what a cluster did before its first known change: the state that it left, since the fold began."""
        assert self.since is not None
        group = self._group(entry.get_text("purpose"), entry.get_text("region"))
        return OpenInterval(entry.get_text("from"), self.since, group)

    def _close(self, cluster: str, interval: OpenInterval, second: int) -> None:
        if interval.state in STATES:
            job = interval.job if interval.state == OCCUPIED else ""
            self.sums.add_time(interval.state, interval.since, second, interval.group, cluster, job, interval.person)

    def _end_hold(self, cluster: str, interval: OpenInterval, holder: str, second: int) -> None:
        if interval.holder and interval.held_since and interval.holder != holder:
            seconds = second - interval.held_since
            self.sums.holds.append(EndedHold(seconds, second, interval.holder, cluster, interval.group))

    def _count(self, entry: Entry, second: int, group: Group) -> None:
        """Count a take, a failure or a quarantine."""
        taken, failed = entry.event == TAKEN, entry.get_text("result") in _BAD_RESULTS
        quarantined = entry.event == QUARANTINED and entry.get_text("from") != QUARANTINED
        if not (taken or failed or quarantined):
            return
        job, person = ("", "") if quarantined else (entry.job, entry.by)
        waited = entry.get_duration("waited") or timedelta()
        for figures in self.sums.of_change(second, group, entry.cluster, job, person):
            if taken:
                figures.add_take(int(waited.total_seconds()))
            figures.failures += failed
            figures.quarantines += quarantined

    def _group_after(self, entry: Entry, before: OpenInterval) -> Group:
        """Return the group of a cluster; it is missing if the cluster was deleted before the change was archived."""
        purpose, region = entry.get_text("purpose"), entry.get_text("region")
        return self._group(purpose, region) if purpose else before.group

    def _group(self, purpose: str, region: str) -> Group:
        group = Group(purpose, region)
        if group not in self.groups:
            if len(self.groups) >= MOST_GROUPS:
                return Group(OTHERS, OTHERS)
            self.groups.add(group)
        return group

    def _forget_states(self, gap: Entry, end: int) -> None:
        """Close all intervals at the beginning of a gap: what the clusters did in it is unknown."""
        since = gap.get_time("since")
        begin = int(since.timestamp()) if since else end
        for cluster, interval in self.open.items():
            self._close(cluster, interval, max(begin, interval.since))
        self.open.clear()
        self.since = max(begin, end)
