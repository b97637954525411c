"""Lists as text for people, one aligned line for each cluster or change, and as JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from cimaster.common.texts import printable
from cimaster.common.times import about, format_time, roughly
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.automatic_top_up import describe_terms
from cimaster.pool.decisions.purposes import describe
from cimaster.pool.records.cluster import BROKEN, Cluster
from cimaster.pool.records.creation import Creation
from cimaster.pool.records.owners import Caller, shown
from cimaster.pool.records.policy import Policy
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import Ticket


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return one line per row, without the line breaks that data edited by hand may hold."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def as_json(pool: Pool, listed: Iterable[Cluster], caller: Caller) -> str:
    """Return the clusters as JSON, a line each, with the ids that a caller sees and the newest change's number."""
    records = ",\n".join(cluster.described(caller) for cluster in listed)
    return f'{{"commit": {pool.commit}, "clusters": [\n{records}\n]}}\n'


def as_text(pool: Pool, shown: Iterable[Cluster]) -> str:
    """Return a header and one line per cluster; for an empty pool, a sentence that says so."""
    heads = ("NAME", "STATE", "HEALTH", "PURPOSE", "REGION", "SITUATION")
    rows = [
        (pool.reference(c), c.state, _health(c), "" if c.fault else c.purpose, c.region, _situation(c)) for c in shown
    ]
    if not rows:
        return "no clusters match\n" if pool.clusters else "the pool is empty: add clusters with /addcluster\n"
    return aligned([heads, *rows])


def _health(cluster: Cluster) -> str:
    """Return the health and the last results, newest last, such as `ok pass,fail`."""
    if cluster.fault:
        return ""
    return f"{cluster.health.state} {','.join(r.result for r in reversed(cluster.results))}".strip()


def _situation(cluster: Cluster) -> str:
    """Return the situation; for a broken record, with its name if it has one."""
    named = f" (its name is {cluster.name_as_written})" if cluster.fault and cluster.name_as_written else ""
    return descriptions.situation(cluster) + named


def one(pool: Pool, cluster: Cluster) -> str:
    """Describe one cluster, with a line for each fact."""
    facts = {
        "name": pool.reference(cluster),
        "state": cluster.state,
        "situation": _situation(cluster),
        "health": _health(cluster),
        "purpose": "" if cluster.fault else cluster.purpose,
        "region": cluster.region,
        "osimage": cluster.osimage,
        "labels": ",".join(f"{key}={value}" for key, value in cluster.labels.items()),
        "note": cluster.note,
        "last job": descriptions.job_label(cluster.last_job, cluster.last_build) if cluster.last_job else "",
        "triggered by": cluster.last_trigger_name,
    }
    return aligned([(key, value) for key, value in facts.items() if value])


def creations(shown: Sequence[Creation], now: datetime, filtered: bool) -> str:
    """Return one line per creation."""
    if not shown:
        return "no creations match\n" if filtered else "no cluster is being created\n"
    rows = [(c.id, c.state, c.purpose, c.user, c.job or "-", descriptions.creation(c, now)) for c in shown]
    return aligned([("ID", "STATE", "PURPOSE", "USER", "JOB", "SITUATION"), *rows])


def policies(explained: Sequence[tuple[Policy, str]]) -> str:
    """Return two lines per policy: its status and its terms."""
    terms = ("" if policy.fault else f"  {printable(describe_terms(policy))}\n" for policy, _ in explained)
    return "".join(f"{printable(text)}\n{line}" for (_, text), line in zip(explained, terms, strict=True))


def purposes(pool: Pool) -> str:
    """Return one line per purpose: how many clusters it has, and how they are checked and cleaned.

    Broken rules, which have no effect, have a line of their own.
    """
    rows = [
        (
            purpose,
            str(sum(not c.fault and c.purpose == purpose for c in pool.clusters)),
            describe(pool.rules_for(purpose)),
        )
        for purpose in pool.purposes()
    ]
    broken = [(rules.purpose, "", f"{BROKEN}: {rules.fault}") for rules in pool.purpose_rules if rules.fault]
    return aligned([("PURPOSE", "CLUSTERS", "RULES"), *rows, *broken])


def queue(ranked: Sequence[Ticket], now: datetime, waits: Mapping[str, timedelta], caller: Caller) -> str:
    """Return one line per ticket, in the order in which they are served; `waits` are the expected ones by id.

    A ticket whose id the caller does not see has a dash in its place.
    """
    if not ranked:
        return "no caller is waiting for a cluster\n"
    rows = [
        (str(place), ticket.id, f"{BROKEN}: {ticket.fault}", *[""] * 7)
        if ticket.fault
        else (
            str(place),
            shown(ticket.id) if ticket.is_seen_by(caller) else "-",
            "hold" if ticket.is_hold else descriptions.job_label(ticket.criteria.job, ticket.criteria.build),
            ticket.criteria.by,
            ticket.criteria.describe(),
            ticket.priority,
            roughly(now - ticket.since),
            about(waits[ticket.id]) if ticket.id in waits else "-",
            "-" if ticket.until is None else format_time(ticket.until),
            "yes" if ticket.is_present(now) else "no",
        )
        for place, ticket in enumerate(ranked, 1)
    ]
    heads = ("PLACE", "REQUEST", "JOB", "BY", "FOR", "PRIORITY", "WAITING", "EXPECTED", "UNTIL", "CONNECTED")
    return aligned([heads, *rows])
