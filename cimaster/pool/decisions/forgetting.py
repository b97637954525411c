"""Forget a person: another text replaces the name in all records and changes, and in what people wrote."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from cimaster.common.texts import same_person
from cimaster.errors import ClusterInUse
from cimaster.pool.records.history import Entry
from cimaster.pool.records.notice import Notice, person_of
from cimaster.pool.records.owners import of_name, shown
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import Record
from cimaster.pool.records.remembered_request import RememberedRequest

FORGOTTEN = "(forgotten)"
_PEOPLE = ("by", "holder", "newHolder", "lastTriggerName", "disabledBy", "healthBy", "user", "retriedBy", "dismissedBy")
_MORE_PEOPLE = ("setBy", "person", "caller")
_OWNERS = ("owner", "leaseOwner")
_TEXTS = ("reason", "note", "holdDesc", "disabledReason", "healthReason", "message")
_Kind = TypeVar("_Kind", bound=Record)


class Person:
    """A person to forget, by name; case does not matter."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._as_word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)

    def is_named(self, name: str) -> bool:
        """Say whether a name means the person."""
        return same_person(name, self.name)

    def owns(self, owner: str) -> bool:
        """Say whether an owner is the person's verified name."""
        return owner == of_name(self.name)

    def is_in(self, text: str) -> bool:
        """Say whether a text names the person, as a word of its own."""
        return bool(self._as_word.search(text))

    def without(self, text: str) -> str:
        """Return a text that does not name the person."""
        return self._as_word.sub(FORGOTTEN, text)

    def edits(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Return the members of a record that name the person, without the name."""
        texts = {key: value for key, value in fields.items() if isinstance(value, str)}
        named = {key: FORGOTTEN for key in _OWNERS if key in texts and self.owns(texts[key])}
        named |= {key: FORGOTTEN for key in (*_PEOPLE, *_MORE_PEOPLE) if key in texts and self.is_named(texts[key])}
        named |= {"via": FORGOTTEN} if "caller" in named and "via" in texts else {}  # it has the person's address
        return named | {key: self.without(texts[key]) for key in _TEXTS if key in texts and self.is_in(texts[key])}

    def forgotten_in(self, entry: Entry) -> Entry:
        """Return a change that does not name the person; the very same one if it does not anyway."""
        if entry.fault:
            return Entry(dict(entry.fields), self.without(entry.text), entry.fault) if self.is_in(entry.text) else entry
        edits = self.edits(entry.fields)
        return entry.edited(edits) if edits else entry


def forget(pool: Pool, _now: datetime, person: Person) -> tuple[Pool, Answer]:
    """Replace the name in the pool; ClusterInUse if the person has or waits for a cluster.

    The answer has a line for each part of the pool that still names the person, because it cannot be read.
    """
    check_unused(pool, person)
    history = tuple(map(person.forgotten_in, pool.history))
    clusters = _edited(pool.clusters, person, lambda cluster, edits: cluster.edited(**edits))
    forgotten = pool.with_clusters(tuple(clusters), history).with_creations(
        tuple(_edited(pool.creations, person, lambda creation, edits: creation.edited(**edits)))
    )
    forgotten = dataclasses.replace(
        forgotten,
        policies=tuple(_edited(pool.policies, person, lambda policy, edits: policy.edited(edits))),
        purpose_rules=tuple(_edited(pool.purpose_rules, person, lambda rules, edits: rules.edited(edits))),
        requests={key: _forgotten_request(request, person) for key, request in pool.requests.items()},
        outbox=dataclasses.replace(pool.outbox, notices=tuple(_notices(pool.outbox.notices, person))),
    )
    return forgotten, Answer("\n".join(_remaining(forgotten, person)))


def check_unused(pool: Pool, person: Person) -> None:
    """Raise ClusterInUse if a person has, shares or waits for a cluster."""
    uses = [*_leases(pool, person), *_holds(pool, person), *_waits(pool, person)]
    if uses:
        listed = "; ".join(uses)
        raise ClusterInUse(f"{person.name} cannot be forgotten yet, but once this is over: {listed}")


def mentions(pool: Pool, person: Person) -> int:
    """Return how many records of the pool name the person, apart from its changes."""
    records: tuple[Record, ...] = (*pool.clusters, *pool.creations, *pool.policies, *pool.purpose_rules)
    named = sum(bool(person.edits(record.fields)) for record in (*records, *pool.outbox.notices) if not record.fault)
    return named + sum(person.is_in(request.say) for request in pool.requests.values())


def _leases(pool: Pool, person: Person) -> Iterator[str]:
    for cluster in pool.clusters:
        if cluster.lease and person.owns(cluster.lease.owner):
            yield f"a job of {person.name} has {cluster.name}"


def _holds(pool: Pool, person: Person) -> Iterator[str]:
    for cluster in pool.clusters:
        if cluster.hold and person.is_named(cluster.hold.by):
            yield f"{person.name} holds {cluster.name}"
        elif cluster.hold and cluster.hold.may_be_changed_by(person.name):
            yield f"the hold of {cluster.name} is shared with {person.name}"


def _waits(pool: Pool, person: Person) -> Iterator[str]:
    for ticket in pool.queue:
        names = (ticket.criteria.by, ticket.made_by, *ticket.shared_with)
        if not ticket.fault and (person.owns(ticket.owner) or any(map(person.is_named, names))):
            yield f"ticket {shown(ticket.id)} in the queue names {person.name}"
    for creation in pool.creations:
        if creation.is_open and (person.owns(creation.owner) or person.is_named(creation.user)):
            yield f"creation {creation.id} is for {person.name}"


def _edited(
    records: Iterable[_Kind], person: Person, edited: Callable[[_Kind, dict[str, str]], _Kind]
) -> Iterator[_Kind]:
    for record in records:
        edits = {} if record.fault else person.edits(record.fields)
        yield edited(record, edits) if edits else record


def _forgotten_request(request: RememberedRequest, person: Person) -> RememberedRequest:
    if not person.is_in(request.say):
        return request
    return dataclasses.replace(request, say=person.without(request.say), stored="")


def _notices(notices: Iterable[Notice], person: Person) -> Iterator[Notice]:
    """Yield the notices without those that only the person would get."""
    for notice in _edited(notices, person, lambda each, edits: each.edited(edits)):
        left = [each for each in notice.destinations if not person.is_named(person_of(each))]
        if notice.fault or len(left) == len(notice.destinations):
            yield notice
        elif left:
            yield notice.addressed(left)


def _remaining(pool: Pool, person: Person) -> Iterator[str]:
    """Yield a sentence for each part of the pool that names the person and cannot be edited."""
    for cluster in pool.clusters:
        if cluster.fault and person.is_in(cluster.text):
            yield f"the broken record {pool.reference(cluster)} names {person.name}: correct or delete it"
    records: tuple[Record, ...] = (*pool.creations, *pool.policies, *pool.purpose_rules, *pool.queue)
    for record in (*records, *pool.outbox.notices):
        if record.fault and person.is_in(record.text):
            yield f"a broken record names {person.name}: correct or remove it ({record.text:.60})"
    for key, text in pool.other_keys.items():
        if person.is_in(text):
            yield f"the key {key} of the pool names {person.name}: correct it by hand"
