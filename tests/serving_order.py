"""The promised order of the queue, checked in what was stored: each commit serves the tickets whose turn it is.

The order is by rank (priority, one level up for each 10 minutes of waiting), then by arrival, which is the commit that
stored the ticket. A ticket may be passed over only in these cases:

- No vacant cluster that it matches is left after each ticket before it got the longest vacant one that it matches.
- Its caller has been away for longer than the time for which a cluster is reserved: 5 s after the end of the connection
  that is stored in the ticket. The end is stored when the caller disconnects; after a crash of its replica the time at
  which the request would have ended counts, at most 25 s later.

A person who holds a cluster when it is free needs no connection, and is never passed over for that reason.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cimaster.pool.records.cluster import EARLIEST
from cimaster.pool.records.history import Entry
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import Ticket

TAKEN, HELD_WHEN_FREE = "taken", "held when free"
_SECOND = timedelta(seconds=1)  # history has times in whole seconds, rounded down


def out_of_turn(before: Pool, after: Pool) -> list[str]:
    """Return what is wrong with the order in which the changes of one commit served the queue of the state before."""
    problems = []
    vacant = {cluster.name: cluster.vacant_since or EARLIEST for cluster in before.vacant}
    waiting = list(before.queue)
    for entry in reversed(after.entries_of(after.commit)):
        if entry.event in (TAKEN, HELD_WHEN_FREE):
            problems += [f"commit {after.commit}: {text}" for text in _passed_over(before, waiting, vacant, entry)]
            waiting = [ticket for ticket in waiting if not is_served_by(ticket, entry)]
        if entry.get_text("to") != "vacant":
            vacant.pop(entry.cluster, None)
        elif entry.at:
            vacant[entry.cluster] = entry.at
    return problems


def is_served_by(ticket: Ticket, entry: Entry) -> bool:
    """Say whether this entry of the history is about the cluster that a ticket got."""
    wanted = ticket.criteria
    if ticket.is_hold:
        return entry.event == HELD_WHEN_FREE and entry.by == wanted.by
    return entry.event == TAKEN and (entry.job, entry.build) == (wanted.job, wanted.build)


def _passed_over(pool: Pool, waiting: Sequence[Ticket], vacant: Mapping[str, datetime], entry: Entry) -> list[str]:
    """Return the tickets for which the served cluster was reserved."""
    assert entry.at
    latest = entry.at + _SECOND
    ordered = sorted(waiting, key=lambda ticket: -ticket.rank(latest))
    served = next((place for place, ticket in enumerate(ordered) if is_served_by(ticket, entry)), len(ordered))
    free = sorted(vacant, key=lambda name: (vacant[name], pool.positions[name]))
    for ticket in ordered[:served]:
        if not (ticket.is_hold or ticket.reserved_until >= latest):
            continue
        reserved = next((name for name in free if ticket.criteria.matches(pool.find(name))), None)
        if reserved == entry.cluster:
            return [f"{entry.text} passed over {ticket.text}"]
        if reserved:
            free.remove(reserved)
    return []
