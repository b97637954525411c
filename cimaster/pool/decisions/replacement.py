"""Replace the records of a pool by those of a file: the changes of state and of use that the history must show."""

from datetime import datetime

from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.history import IMPORTED, Entry, History
from cimaster.pool.records.pool import Pool


def changes(pool: Pool, filled: Pool, now: datetime, by: str) -> History:
    """Return an entry for each cluster that vanishes, appears, or gets another state, job or holder."""
    before, after = _by_name(pool), _by_name(filled)
    pairs = {name: (before.get(name), after.get(name)) for name in before | after}
    return tuple(
        _entry(name, old, new, now, pool.next_commit, by)
        for name, (old, new) in pairs.items()
        if _situation(old) != _situation(new)
    )


def _by_name(pool: Pool) -> dict[str, Cluster]:
    return {cluster.name or cluster.digest: cluster for cluster in pool.clusters}


def _situation(cluster: Cluster | None) -> tuple[str, ...]:
    return (cluster.state, descriptions.occupant(cluster), _holder(cluster)) if cluster else ()


def _entry(name: str, old: Cluster | None, new: Cluster | None, now: datetime, commit: int, by: str) -> Entry:
    """Describe one change, with the job that the cluster has now; if it has none, with the one that it loses."""
    lease = (new and new.lease) or (old and old.lease)
    holder, new_holder = _holder(old), _holder(new)
    return Entry.of(
        IMPORTED if new else "deleted",
        name,
        now,
        commit,
        **{"from": old.state if old else "", "to": new.state if new else ""},
        by=by,
        job=lease.job if lease else "",
        build=lease.build if lease else "",
        holder=holder if holder != new_holder else "",
        newHolder=new_holder,
        reason="" if new else "cimaster import --replace",
    )


def _holder(cluster: Cluster | None) -> str:
    return cluster.hold.by if cluster and cluster.hold else ""
