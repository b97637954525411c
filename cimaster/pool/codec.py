"""Convert between the stored object and the pool: the keys of the ConfigMap, within its size limit."""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from cimaster.errors import PoolFull, StoreUnreadable
from cimaster.pool.decisions import archiving, creation_retention, idempotency, queue_room
from cimaster.pool.records import history, json_edit, record_lists, remembered
from cimaster.pool.records.archive_claim import ArchiveClaim
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.creation import Creation, parse_creations
from cimaster.pool.records.json_values import load, utf8_safe
from cimaster.pool.records.notice import Notice, parse_notices
from cimaster.pool.records.object_size import HISTORY_LIMIT, OBJECT_LIMIT, byte_count
from cimaster.pool.records.outbox import NoticeState, Outbox
from cimaster.pool.records.policy import Policy, parse_policies
from cimaster.pool.records.pool import Pool, Rules
from cimaster.pool.records.purpose import PurposeRules, parse_purposes
from cimaster.pool.records.queue import EMPTY, Queue, parse_queue, with_earlier_form
from cimaster.pool.records.record import Record
from cimaster.pool.records.remembered_request import RememberedRequest, parse_requests

CLUSTERS, HISTORY, ARCHIVE, REQUESTS = "cluster.json", "history.json", "archive.json", "requests.json"
CREATIONS, POLICIES, PURPOSES, TICKETS = "creations.json", "policies.json", "purposes.json", "tickets.json"
NOTICES, NOTICE_STATE = "notices.json", "notice-state.json"
QUEUE = "queue.json"  # the tickets of earlier versions, which cannot read those under TICKETS, but keep them
_OUR_KEYS = (CLUSTERS, HISTORY, ARCHIVE, REQUESTS, CREATIONS, POLICIES, PURPOSES, TICKETS, QUEUE, NOTICES, NOTICE_STATE)
_LOST = {
    HISTORY: "the changes that were not archived are lost",
    ARCHIVE: "a replica claims the archive again",
    REQUESTS: "earlier requests are forgotten",
    TICKETS: "waiting callers have to repeat their requests",
    NOTICE_STATE: "the channels of notices are tried again",
    QUEUE: "waiting callers have to repeat their requests",
}
_MAX_LOGGED = 10  # faulty records of one kind that are logged individually
_NOTHING_KNOWN = Pool()
_log = logging.getLogger(__name__)


def decode(data: Mapping[str, str], commit: int, rules: Rules, known: Pool | None = None) -> Pool:
    """Read the pool from the object's data; StoreUnreadable says what is wrong with `cluster.json`, and where.

    `known` is a pool that was read earlier: its records are reused where the text has not changed.
    """
    before = known or _NOTHING_KNOWN
    data = {key: utf8_safe(text) for key, text in data.items()}
    array = _parse_cluster_array(data.get(CLUSTERS, "[]"), before)
    other_keys = {key: text for key, text in data.items() if key not in _OUR_KEYS}
    earlier_requests = before.requests.values()
    entries = _or_empty(HISTORY, data, lambda text: history.parse(text, before.history), ())
    pool = Pool(
        requests=_or_empty(REQUESTS, data, lambda text: parse_requests(text, earlier_requests), {}),
        creations=_or_set_aside(CREATIONS, data, other_keys, lambda text: parse_creations(text, before.creations)),
        policies=_or_set_aside(POLICIES, data, other_keys, lambda text: parse_policies(text, before.policies)),
        purpose_rules=_or_set_aside(
            PURPOSES, data, other_keys, lambda text: parse_purposes(text, before.purpose_rules)
        ),
        queue=_queue(data, before),
        archive=_or_empty(ARCHIVE, data, ArchiveClaim.parse, ArchiveClaim()) if ARCHIVE in data else ArchiveClaim(),
        outbox=_outbox(data, other_keys, before.outbox),
        recent=archiving.with_recent(before.recent, archiving.left_history(before, entries)),
        commit=commit,
        rules=rules,
        other_keys=other_keys,
        head=array.head,
        tail=array.tail,
    )
    pool = pool.with_clusters(_clusters(array, before), entries)
    _log_faults("cluster", pool.clusters, before.clusters)
    _log_faults("creation", pool.creations, before.creations)
    _log_faults("policy", pool.policies, before.policies)
    _log_faults("rules of purpose", pool.purpose_rules, before.purpose_rules)
    _log_faults("ticket", pool.queue, before.queue)
    _log_faults("notice", pool.outbox.notices, before.outbox.notices)
    return pool


def _parse_cluster_array(text: str, before: Pool) -> json_edit.Array:
    known_objects = [cluster.text for cluster in before.clusters if cluster.text.startswith("{")]
    try:
        return json_edit.parse_array(text, known_objects)
    except json.JSONDecodeError as error:
        raise StoreUnreadable(
            f"{CLUSTERS} is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}); "
            "correct it by hand: nothing is written until then",
            key=CLUSTERS,
            line=error.lineno,
            column=error.colno,
        ) from None
    except ValueError as error:
        sentence = f"{CLUSTERS}: {error}; correct it by hand: nothing is written until then"
        raise StoreUnreadable(sentence, key=CLUSTERS) from None


def _clusters(array: json_edit.Array, before: Pool) -> tuple[Cluster, ...]:
    reusable = {cluster.text: cluster for cluster in before.clusters}
    return tuple(_cluster(item, reusable) for item in array.items)


def _cluster(item: json_edit.Item, reusable: dict[str, Cluster]) -> Cluster:
    known = reusable.pop(item.text, None)  # two records with the same text stay two objects
    if known is None:
        return Cluster(item.text, load(item.text) if item.value is None else item.value, item.gap)
    return known if known.gap == item.gap else known.with_gap(item.gap)


_Records = TypeVar("_Records", tuple[Creation, ...], tuple[Policy, ...], tuple[PurposeRules, ...], tuple[Notice, ...])


def _or_set_aside(
    key: str, data: Mapping[str, str], other_keys: dict[str, str], read: Callable[[str], _Records]
) -> _Records:
    """Read a key that must not be lost; if it is unreadable, keep its text under another key for an admin."""
    try:
        return read(data.get(key, "[]"))
    except ValueError as error:
        _log.warning("%s cannot be read (%s): its text is kept as %s.unreadable", key, error, key)
        other_keys[f"{key}.unreadable"] = data[key]
        return ()


def _queue(data: Mapping[str, str], before: Pool) -> Queue:
    tickets = _or_empty(TICKETS, data, lambda text: parse_queue(text, before.queue), EMPTY)
    earlier = _or_empty(QUEUE, data, lambda text: parse_queue(text, before.queue), EMPTY)
    return with_earlier_form(tickets, earlier)


def _outbox(data: Mapping[str, str], other_keys: dict[str, str], before: Outbox) -> Outbox:
    if NOTICES not in data and NOTICE_STATE not in data:
        return Outbox()
    notices = _or_set_aside(NOTICES, data, other_keys, lambda text: parse_notices(text, before.notices))
    return Outbox(notices, _or_empty(NOTICE_STATE, data, NoticeState.parse, NoticeState()))


_Kept = TypeVar("_Kept", history.History, dict[str, RememberedRequest], Queue, ArchiveClaim, NoticeState)


def _or_empty(key: str, data: Mapping[str, str], read: Callable[[str], _Kept], empty: _Kept) -> _Kept:
    """Read a key that may be lost; if it is unreadable, start with `empty`."""
    try:
        return read(data.get(key, "[]"))
    except ValueError as error:
        _log.warning("%s cannot be read (%s): %s", key, error, _LOST[key])
        return empty


def _log_faults(kind: str, records: Sequence[Record], before: Sequence[Record]) -> None:
    """Log the faults of records that were not read before; only the first few individually."""
    seen = set(map(id, before))
    faulty = [record for record in records if id(record) not in seen and (record.fault or record.unreadable)]
    for record in faulty[:_MAX_LOGGED]:
        name = record.get_text("name") or record.get_text("purpose") or record.digest
        problem = f"is broken: {record.fault}" if record.fault else f"{', '.join(record.unreadable)} cannot be read"
        _log.warning("%s %s %s", kind, name, problem)
    if len(faulty) > _MAX_LOGGED:
        _log.warning("%d more %s records are broken or have unreadable times", len(faulty) - _MAX_LOGGED, kind)


def encode(pool: Pool, now: datetime) -> tuple[Pool, dict[str, str]]:
    """Return the pool as it is stored, and the data of the object.

    If it is too large, unarchived history is dropped first, then tickets, then remembered leases and results;
    PoolFull if that is not enough.
    """
    pool = dataclasses.replace(
        pool,
        requests=idempotency.trimmed(pool.requests, now),
        creations=creation_retention.trimmed(pool.creations, now),
    )
    data = _encode_all_but_history(pool)
    if _room(data) < 0 and pool.queue:
        pool = _with_fewer_tickets(pool, -_room(data))
        data = _encode_all_but_history(pool)
    if _room(data) < 0:
        pool = _with_less_memory(pool, -_room(data))
        data = _encode_all_but_history(pool)
    room = _room(data)
    if room < 0:
        raise PoolFull(
            f"the pool would exceed the store's limit of {OBJECT_LIMIT} bytes by {-room}: "
            "delete clusters, or shorten notes and labels"
        )
    kept, lost = history.trimmed(pool.history, min(room, HISTORY_LIMIT))
    if lost:
        _log.warning("the oldest %d changes are lost, because they could not be archived in time", lost)
        pool = dataclasses.replace(
            pool, history=kept, archive=dataclasses.replace(pool.archive, lost=pool.archive.lost + lost)
        )
        data = _encode_all_but_history(pool)
    return pool, {**data, HISTORY: record_lists.encode(pool.history)}


def _room(data: Mapping[str, str]) -> int:
    """Return how many bytes the object has left; negative if the data are too large."""
    return OBJECT_LIMIT - sum(map(byte_count, data.values()))


def _encode_all_but_history(pool: Pool) -> dict[str, str]:
    """Return the data of all keys except history; keys without records are omitted, apart from the clusters'."""
    rest = {**pool.other_keys, REQUESTS: record_lists.encode(pool.requests.values())}
    if pool.creations:
        rest[CREATIONS] = record_lists.encode(pool.creations)
    if pool.policies:
        rest[POLICIES] = record_lists.encode(pool.policies)
    if pool.purpose_rules:
        rest[PURPOSES] = record_lists.encode(pool.purpose_rules)
    if pool.queue:
        rest[TICKETS] = pool.queue.text
    if pool.archive.text:
        rest[ARCHIVE] = pool.archive.text
    rest |= {NOTICES: pool.outbox.text} if pool.outbox.notices else {}
    rest |= {NOTICE_STATE: pool.outbox.state.text} if pool.outbox.state.text else {}
    return {**rest, CLUSTERS: _encode_clusters(pool)}


def _encode_clusters(pool: Pool) -> str:
    texts = [
        cluster.text if place == 0 else (cluster.gap if "," in cluster.gap else ", ") + cluster.text
        for place, cluster in enumerate(pool.clusters)
    ]
    return pool.head + "".join(texts) + pool.tail


def _with_fewer_tickets(pool: Pool, excess: int) -> Pool:
    queue = queue_room.shortened(pool.queue, excess)
    if queue is not pool.queue:
        lost = len(pool.queue) - len(queue)
        _log.warning("the object is full: the newest %d callers in the queue have to repeat their requests", lost)
    return dataclasses.replace(pool, queue=queue)


def _with_less_memory(pool: Pool, excess: int) -> Pool:
    """Drop remembered leases and results, starting with the largest records, until `excess` bytes are saved."""
    clusters = list(pool.clusters)
    largest_first = sorted(enumerate(clusters), key=lambda pair: -pair[1].size)
    for place, cluster in largest_first:
        if excess <= 0:
            break
        known = {key: None for key in remembered.MEMBERS if key in cluster.fields}
        if cluster.fault or not known:
            continue
        clusters[place] = cluster.edited(**known)
        excess -= cluster.size - clusters[place].size
    return pool.with_clusters(tuple(clusters), pool.history)
