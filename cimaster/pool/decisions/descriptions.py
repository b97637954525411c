"""How states are told to people: the same words in refusals, lists and pages."""

from datetime import datetime, timedelta

from cimaster.common.times import format_time, roughly
from cimaster.pool.records.cluster import BROKEN, DISABLED, HELD, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.creation import FAILED, READY, RUNNING, Creation
from cimaster.pool.records.record import Record


def occupant(cluster: Cluster) -> str:
    """Say who has the cluster: a job, a person, or nobody (empty)."""
    if cluster.lease:
        return job_label(cluster.lease.job, cluster.lease.build)
    return (cluster.hold.by or "an unknown user") if cluster.hold else ""


def job_label(job: str, build: str) -> str:
    """Name a job's build as CI systems do: `e2e-test #124`."""
    return f"{job or 'a job'} #{build}" if build else (job or "a job")


def until(moment: datetime | None) -> str:
    """Say until when, or nothing."""
    return f" until {format_time(moment)}" if moment else ""


def situation(cluster: Cluster) -> str:
    """Say in a few words what a cluster is doing, who has it and until when, and what of that cannot be read."""
    return _situation(cluster) + "".join(f"; {told}" for told in unreadable_fields(cluster))


def unreadable_fields(record: Record) -> list[str]:
    """Say which times and durations of a record cannot be read."""
    return [f"{name} cannot be read and counts as not given" for name in record.unreadable]


def _situation(cluster: Cluster) -> str:
    if cluster.state == BROKEN:
        return f"broken: {cluster.fault}"
    if cluster.lease:
        by = f" for {cluster.lease.by}" if cluster.lease.by else ""
        return f"occupied by {occupant(cluster)}{by}{until(cluster.lease.expires)}"
    if cluster.state == DISABLED:
        reason = f": {cluster.disabled_reason}" if cluster.disabled_reason else ""
        by = f" by {cluster.disabled_by}" if cluster.disabled_by else ""
        return f"disabled{by}{reason}"
    if cluster.hold:
        desc = f" ({cluster.hold.desc})" if cluster.hold.desc else ""
        return f"held by {occupant(cluster)}{until(cluster.hold.expires)}{desc}"
    return cluster.state


def creation(asked: Creation, now: datetime) -> str:
    """Say in a few words how far a creation is."""
    if asked.fault:
        return f"{BROKEN}: {asked.fault}"
    later = asked.next_try(now)
    again = f"; next try in {roughly(later - now)}" if later else ""
    left = f", given up in {roughly(asked.gives_up_at - now)}" if asked.gives_up_at else ""
    return "; ".join((f"{progress(asked)}{again}{left}", *unreadable_fields(asked)))


def progress(asked: Creation) -> str:
    """Say how far a creation is, without the times."""
    if asked.fault:
        return f"the record is broken: {asked.fault}"
    if asked.state == READY:
        return f"cluster {asked.cluster} is there"
    if asked.state == FAILED:
        runs = "; its job still runs" if asked.job_runs else ""
        return f"failed: {asked.reason}{runs}"
    if asked.state == RUNNING:
        return f"job {asked.job_name} builds it" if asked.job_name else "being built"
    return f"waits to begin: {asked.reason}" if asked.reason else "waits to begin"


def expected_end(cluster: Cluster) -> datetime | None:
    """Return when the cluster comes free by itself, as far as anybody knows."""
    if cluster.lease:
        return cluster.lease.expires
    return cluster.hold.expires if cluster.hold and not cluster.disabled else None


def overdue(cluster: Cluster, now: datetime, after: timedelta) -> bool:
    """Say whether a job has had the cluster for suspiciously long, without an end that it agreed to."""
    lease = cluster.lease
    return bool(lease and lease.acquired and not lease.expires and now - lease.acquired > after)


def shortage(matching: list[Cluster]) -> str:
    """Say why none of the matching clusters is vacant, and which comes free next."""
    states = [cluster.state for cluster in matching]
    words = {VACANT: "kept for those who wait", OCCUPIED: OCCUPIED, HELD: HELD, DISABLED: DISABLED}
    counted = ", ".join(f"{states.count(state)} {told}" for state, told in words.items() if state in states)
    coming = sorted((end, cluster.name) for cluster in matching if (end := free_at(cluster)))
    when = f"; next: {coming[0][1]} at {format_time(coming[0][0])}" if coming else "; nobody said until when"
    return counted + when


def free_at(cluster: Cluster) -> datetime | None:
    """Return when a cluster becomes vacant by itself; None if nobody knows or more than time is in the way."""
    if cluster.disabled or (cluster.lease and cluster.hold):
        return None
    return expected_end(cluster)
