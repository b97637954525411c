"""Judges the stored states of a pool, commit by commit: each change must respect the state that it found.

A commit may contain many changes. Their history entries, which are stored with them, say in which order they happened.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cimaster.pool.records.cluster import BROKEN, Cluster
from cimaster.pool.records.health import BY_RESULTS, OK, QUARANTINED, JobResult, bad_results_in_a_row
from cimaster.pool.records.history import Entry
from cimaster.pool.records.pool import Pool, Rules

_CLOCKS_DIFFER = timedelta(seconds=10)  # by which the clock of a replica that decides by it may be wrong
_QUARANTINE_AFTER = Rules().quarantine_after


@dataclass
class _Situation:
    """One cluster between two changes of a commit."""

    holder: str | None  # None if it is not held
    is_leased: bool
    is_quarantined: bool
    is_disabled: bool

    @classmethod
    def of(cls, cluster: Cluster) -> "_Situation":
        """Return the situation of a stored record."""
        holder = cluster.hold.by if cluster.hold else None
        return cls(holder, cluster.lease is not None, cluster.health.state == QUARANTINED, cluster.disabled)

    def after(self, entry: Entry) -> "_Situation | None":
        """Return the situation after a change; None if the change was not allowed."""
        new_holder = entry.get_text("newHolder") or entry.by
        last_holder = entry.holder or entry.by
        is_vacant = not (self.is_leased or self.is_quarantined or self.is_disabled or self.holder is not None)
        match entry.event:
            case "taken":
                return _Situation(None, True, False, False) if is_vacant else None
            case "finished" | "lease ended" | "take undone":
                return replace(self, is_leased=False) if self.is_leased else None
            case "held when free" if not is_vacant:
                return None
            case "held" | "held when free":
                return replace(self, holder=new_holder) if self.holder is None else None
            case "taken over" | "handed over":
                return replace(self, holder=new_holder) if self.holder == last_holder else None
            case "released" | "hold ended":
                return replace(self, holder=None) if self.holder is not None else None
            case "quarantined":
                return replace(self, is_quarantined=True)
            case "suspect" | "healthy":
                return replace(self, is_quarantined=False)
            case "disabled":
                return replace(self, is_disabled=True)
            case "enabled":
                return replace(self, is_disabled=False)
        return self


class PoolHistory:
    """Follows the stored states of a pool, and returns what is wrong with each step."""

    def __init__(self) -> None:
        self._before: Pool | None = None
        self.commits = self.gaps = 0

    def follow(self, pool: Pool, seen_at: datetime | None = None) -> list[str]:
        """Return what is wrong with a stored state, and with the changes since the one before it.

        `seen_at` is a time after it was written. With it, claims of checks are judged too: a replica, which writes only
        its own changes into a commit, must not take over another one's claim before that ends.
        """
        before, self._before = self._before, pool
        known = {cluster.text for cluster in before.clusters} if before else set()
        changed = [cluster for cluster in pool.clusters if cluster.text not in known]
        problems = [problem for cluster in changed for problem in _contradictions(cluster)]
        if before is None or before.commit == pool.commit:
            return problems
        self.commits += 1
        if pool.commit != before.commit + 1:
            self.gaps += 1
            return problems
        if seen_at:
            problems += _seized_claims(before, pool, seen_at)
        return problems + _judged(before, pool)


def _contradictions(cluster: Cluster) -> list[str]:
    """Return what must not be in one record at the same time."""
    if cluster.state == BROKEN:
        return [f"{cluster.name_as_written} is broken: {cluster.fault}"]
    weight = sum(result.weight for result in bad_results_in_a_row(cluster.results, cluster.get_time("healthyFrom")))
    contradictions = {
        "is checked while a job has it": cluster.lease and cluster.checking,
        "has a claimed check while a person holds it": cluster.held and cluster.check_claimed_by,
        "has a claim without a check": cluster.check_claimed_by and not cluster.checking,
        "is healthy in spite of its results": weight >= _QUARANTINE_AFTER and cluster.health.state == OK,
    }
    return [f"{cluster.name} {what}: {cluster.text}" for what, found in contradictions.items() if found]


def _seized_claims(before: Pool, after: Pool, seen_at: datetime) -> list[str]:
    """Return the claims that ended later than `seen_at`, and that another replica has after this commit."""
    pairs = [(before.find(cluster.name), cluster) for cluster in after.clusters if cluster.name in before.positions]
    claimed = [pair for pair in pairs if pair[0].check_claimed_by and pair[1].check_claimed_by]
    return [
        f"commit {after.commit}: {new.text} has a claim; before it there was {old.text}"
        for old, new in claimed
        if old.check_claimed_by != new.check_claimed_by
        and old.check_claimed_until
        and old.check_claimed_until > seen_at + _CLOCKS_DIFFER
    ]


def _judged(before: Pool, after: Pool) -> list[str]:
    """Replay the changes of one commit; return those that were not allowed, and what no change explains."""
    problems = []
    clusters = {cluster.name: cluster for cluster in before.clusters}
    situations = {name: _Situation.of(cluster) for name, cluster in clusters.items()}
    for entry in reversed(after.entries_of(after.commit)):
        if entry.cluster not in situations:
            continue
        found = situations[entry.cluster]
        then = found.after(entry)
        if then is None:
            problems.append(f"commit {after.commit}: {entry.text} was not allowed for {entry.cluster}: {found}")
            continue
        situations[entry.cluster] = then
        if entry.event == QUARANTINED and not entry.by:
            problems += _excessive_quarantine(after, situations, entry)
    for cluster in after.clusters:
        if cluster.name in clusters:
            problems += _unexplained(clusters[cluster.name], cluster, situations[cluster.name], after)
    return problems


def _excessive_quarantine(pool: Pool, situations: dict[str, _Situation], entry: Entry) -> list[str]:
    purpose = pool.find(entry.cluster).purpose
    alike = [situations[cluster.name] for cluster in pool.clusters if cluster.purpose == purpose]
    quarantined = sum(situation.is_quarantined for situation in alike)
    if 2 * quarantined <= len(alike):
        return []
    return [f"commit {pool.commit}: {entry.text} left {quarantined} of {len(alike)} clusters quarantined"]


def _unexplained(before: Cluster, after: Cluster, replayed: _Situation, pool: Pool) -> list[str]:
    """Return what the entries of a commit do not explain: another situation, or other results."""
    problems = []
    if replayed != _Situation.of(after):
        problems.append(f"commit {pool.commit}: {after.text} is stored; its history says {replayed}")
    added = [_result(entry) for entry in pool.entries_of(pool.commit) if entry.cluster == after.name]
    counted = [result for result in added if result[0]]
    expected = [*counted, *map(_identity, before.results)][: len(after.results)]
    stored = [*map(_identity, after.results)]
    if stored != expected or len(stored) < min(len(counted) + len(before.results), 5):
        problems.append(f"commit {pool.commit}: the results of {after.name} are {stored}, not {expected}")
    is_newly_quarantined = after.health.state == QUARANTINED and before.health.state != QUARANTINED
    if is_newly_quarantined and after.health.cause == BY_RESULTS:
        bad = bad_results_in_a_row(after.results, after.get_time("healthyFrom"))
        if sum(result.weight for result in bad) < _QUARANTINE_AFTER:
            problems.append(f"commit {pool.commit}: {after.name} was quarantined for no more than {bad}")
    return problems


def _result(entry: Entry) -> tuple[str, str, str]:
    return entry.get_text("result"), entry.job, entry.build


def _identity(result: JobResult) -> tuple[str, str, str]:
    return result.result, result.job, result.build
