"""Describe clusters and creations to people, in the same words in refusals, lists and pages."""

from datetime import datetime, timedelta

from cimaster.common.times import format_time, parse_duration, roughly
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.creation import FAILED, READY, RUNNING, Creation
from cimaster.pool.records.health import CLEAN, OK, QUARANTINED
from cimaster.pool.records.history import Entry
from cimaster.pool.records.lease import Hold
from cimaster.pool.records.record import Record


def occupant(cluster: Cluster) -> str:
    """Name the job or the person that has the cluster; empty if it is free."""
    if cluster.lease:
        return job_label(cluster.lease.job, cluster.lease.build)
    return cluster.hold.holder if cluster.hold else ""


def job_label(job: str, build: str) -> str:
    """Name a job and its build as CI systems do: `e2e-test #124`."""
    return f"{job or 'a job'} #{build}" if build else (job or "a job")


def until(moment: datetime | None) -> str:
    """Return ` until` and the time; empty if there is none."""
    return f" until {format_time(moment)}" if moment else ""


def situation(cluster: Cluster) -> str:
    """Describe briefly what a cluster is doing, for whom and until when, and which of its times are unreadable."""
    return "; ".join((_situation(cluster), *unreadable_fields(cluster)))


def _situation(cluster: Cluster) -> str:
    if cluster.state == BROKEN:
        return f"broken: {cluster.fault}"
    if cluster.lease:
        triggered_by = f" for {cluster.lease.by}" if cluster.lease.by else ""
        job = f"occupied by {occupant(cluster)}{triggered_by}{until(cluster.lease.expires)}"
        then = _held(cluster.hold) if cluster.hold else ""
        return "; ".join((job, *([f"then {then}"] if then else []), *_bad_health(cluster)))
    overlays = [*_bad_health(cluster)]
    if cluster.disabled:
        overlays.append(_disabled(cluster))
    if cluster.hold:
        overlays.append(_held(cluster.hold))
    if cluster.checking:
        overlays.append(check_progress(cluster))
    return "; ".join(overlays) if cluster.state != VACANT else "; ".join((VACANT, *overlays))


def _bad_health(cluster: Cluster) -> list[str]:
    return [] if cluster.health.state == OK else [health(cluster)]


def health(cluster: Cluster) -> str:
    """Say how healthy a cluster is, and why: `quarantined: 3 failures in a row: e2e #118, #121, #130`."""
    shown = cluster.health
    by = f" by {shown.by}" if shown.by else ""
    return f"{shown.state}{by}: {shown.reason}" if shown.reason else f"{shown.state}{by}"


def _disabled(cluster: Cluster) -> str:
    disabled_by = f" by {cluster.disabled_by}" if cluster.disabled_by else ""
    return f"disabled{disabled_by}: {cluster.disabled_reason}" if cluster.disabled_reason else f"disabled{disabled_by}"


def check_progress(cluster: Cluster) -> str:
    """Say whether a cluster is being cleaned or checked, or waits for that; empty if neither."""
    if not cluster.checking:
        return ""
    is_claimed = bool(cluster.check_claimed_by)
    if cluster.checking == CLEAN:
        return "being cleaned" if is_claimed else "waiting to be cleaned"
    return "being checked" if is_claimed else "waiting to be checked"


def _held(hold: Hold) -> str:
    shared = f", shared with {', '.join(hold.shared_with)}" if hold.shared_with else ""
    reason = f" ({hold.desc})" if hold.desc else ""
    return f"held by {hold.holder}{until(hold.expires)}{shared}{reason}"


def unreadable_fields(record: Record) -> list[str]:
    """Return a warning for each time and duration of a record that cannot be read."""
    return [f"{name} cannot be read and is ignored" for name in record.unreadable]


def creation(shown: Creation, now: datetime) -> str:
    """Describe briefly how far a creation is, when it is tried again and when it times out."""
    if shown.fault:
        return f"{BROKEN}: {shown.fault}"
    next_try = shown.next_try(now)
    retry = f"; next try in {roughly(next_try - now)}" if next_try else ""
    timeout = f", times out in {roughly(shown.gives_up_at - now)}" if shown.gives_up_at else ""
    return "; ".join((f"{progress(shown)}{retry}{timeout}", *unreadable_fields(shown)))


def progress(shown: Creation) -> str:
    """Describe how far a creation is, without the times."""
    if shown.fault:
        return f"the record is broken: {shown.fault}"
    if shown.state == READY:
        return f"cluster {shown.cluster} is ready"
    if shown.state == FAILED:
        job = "; its job still runs" if shown.job_runs else ""
        return f"failed: {shown.reason}{job}"
    if shown.state == RUNNING:
        return f"job {shown.job_name} is building it" if shown.job_name else "being built"
    return f"waiting to start: {shown.reason}" if shown.reason else "waiting to start"


def expected_end(cluster: Cluster) -> datetime | None:
    """Return when the cluster's lease or hold expires; None if no end is known."""
    if cluster.lease:
        return cluster.lease.expires
    is_out = cluster.disabled or cluster.health.state == QUARANTINED
    return cluster.hold.expires if cluster.hold and not is_out else None


def free_at(cluster: Cluster) -> datetime | None:
    """Return when a cluster becomes vacant by expiry; None if that is unknown, or something else must happen first."""
    if cluster.disabled or cluster.health.state == QUARANTINED or (cluster.lease and cluster.hold):
        return None
    return expected_end(cluster)


def overdue(cluster: Cluster, now: datetime, after: timedelta) -> bool:
    """Say whether a job has had the cluster for longer than `after`, with a lease that has no end."""
    lease = cluster.lease
    return bool(lease and lease.acquired and not lease.expires and now - lease.acquired > after)


def shortage(matching: list[Cluster]) -> str:
    """Explain why none of the matching clusters can be lent, and which is vacant next: `2 occupied; next: …`."""
    states = [cluster.state for cluster in matching]
    labels = {
        VACANT: "reserved for waiting callers",
        **{state: state for state in (OCCUPIED, HELD, QUARANTINED, DISABLED)},
        CHECKING: "being checked or cleaned",
    }
    counts = ", ".join(f"{states.count(state)} {label}" for state, label in labels.items() if state in states)
    upcoming = sorted((end, cluster.name) for cluster in matching if (end := free_at(cluster)))
    if not upcoming:
        return f"{counts}; no end time is known"
    end, name = upcoming[0]
    return f"{counts}; next: {name} at {format_time(end)}"


def reason(entry: Entry) -> str:
    """Say whose hold changed and to which person it passed, and give the reason of the change as it is stored."""
    whose = f"{entry.holder}'s hold" if entry.holder else ""
    new_holder, preposition = entry.get_text("newHolder"), "to" if entry.event == "handed over" else "for"
    passed_to = f"{preposition} {new_holder}" if new_holder else ""
    waited = parse_duration(entry.get_text("waited"))
    after = f"after waiting {roughly(waited)}" if waited else ""
    return ": ".join(part for part in (whose, passed_to, entry.reason, after) if part)
