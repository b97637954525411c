"""The queue: an immutable sequence of tickets with the indexes that keep decisions cheap when thousands wait."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from cimaster.pool.records import record_lists
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.ticket import Ticket


class Queue(tuple[Ticket, ...]):
    """The tickets in order of arrival. A changed queue takes over the indexes that the change leaves valid."""

    @cached_property
    def by_id(self) -> Mapping[str, Ticket]:
        """The tickets by id."""
        return {ticket.id: ticket for ticket in self}

    @cached_property
    def kinds(self) -> Mapping[str, Criteria]:
        """The kinds of cluster that the tickets wait for: one criteria for each."""
        return {ticket.kind: ticket.criteria for ticket in self}

    @cached_property
    def holds(self) -> tuple[Ticket, ...]:
        """The tickets of people, who will hold the cluster that they wait for."""
        return tuple(ticket for ticket in self if ticket.is_hold)

    @cached_property
    def text(self) -> str:
        """The queue's JSON as it is stored."""
        return record_lists.encode(self)

    def with_ticket(self, ticket: Ticket) -> "Queue":
        """Return the queue with a ticket replaced, or added at the end."""
        known = self.by_id.get(ticket.id)
        place = len(self) if known is None else self.index(known)
        changed = Queue((*self[:place], ticket, *self[place + 1 :]))
        changed.by_id = {**self.by_id, ticket.id: ticket}
        if known is None or known.kind == ticket.kind:
            is_new_kind = ticket.kind not in self.kinds
            changed.kinds = {**self.kinds, ticket.kind: ticket.criteria} if is_new_kind else self.kinds
        return changed

    def without(self, identity: str) -> "Queue":
        """Return the queue without the ticket with this id."""
        ticket = self.by_id.get(identity)
        if ticket is None:
            return self
        place = self.index(ticket)
        remaining = Queue((*self[:place], *self[place + 1 :]))
        if not ticket.fault:  # two broken tickets with the same text have one id
            by_id = dict(self.by_id)
            del by_id[identity]
            remaining.by_id = by_id
        if any(other.kind == ticket.kind for other in remaining):
            remaining.kinds = self.kinds
        return remaining

    def only(self, kept: Iterable[Ticket]) -> "Queue":
        """Return a queue of these tickets of this one; the same queue if they are all of them."""
        remaining = Queue(kept)
        return self if len(remaining) == len(self) else remaining


EMPTY = Queue()


def parse_queue(text: str, known: Queue = EMPTY) -> Queue:
    """Read the stored tickets, reusing the `known` ones; ValueError if the text is not an array."""
    if text == known.text:
        return known
    parsed = Queue(record_lists.parse(text, known, Ticket.parse, lambda ticket: ticket.id))
    parsed.text = text
    return parsed


def with_earlier_form(queue: Queue, earlier: Queue) -> Queue:
    """Return the queue with the tickets that replicas of an earlier version have stored under a key of their own.

    A ticket that is in both keeps its place in the queue; the later connection counts.
    """
    new = [ticket for ticket in earlier if ticket.fault or ticket.id not in queue.by_id]
    merged = Queue((*queue, *new)) if new else queue
    for ticket in earlier:
        known = queue.by_id.get(ticket.id)
        if known and not known.fault and known.connected_until < ticket.connected_until:
            merged = merged.with_ticket(known.connected(ticket.connected_until, ticket.reserved_for))
    return merged
