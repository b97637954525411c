"""Between the stored object and the pool: the keys of the ConfigMap, and how everything fits into its size."""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from cimaster.errors import PoolFull, StoreUnreadable
from cimaster.pool.decisions import automatic_top_up, idempotency, provisioning, queue_order
from cimaster.pool.records import history, json_edit
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.creation import Creation
from cimaster.pool.records.json_values import load, sound
from cimaster.pool.records.policy import Policy
from cimaster.pool.records.pool import Pool, Rules
from cimaster.pool.records.record import Record
from cimaster.pool.records.remembered_request import RememberedRequest

CLUSTERS, HISTORY, REQUESTS = "cluster.json", "history.json", "requests.json"
CREATIONS, POLICIES, QUEUE = "creations.json", "policies.json", "queue.json"
_OURS = (CLUSTERS, HISTORY, REQUESTS, CREATIONS, POLICIES, QUEUE)
OBJECT_LIMIT = 1_000_000  # bytes of all values; the API server takes 1 MiB
OBJECT_AIM = 128_000  # bytes up to which history may grow beyond its least: each write carries all of it
LEAST_HISTORY = 32_000
_MOST_LOGGED = 10  # records of a kind that are odd
_log = logging.getLogger(__name__)


def decode(data: Mapping[str, str], commit: int, rules: Rules, known: Pool | None = None) -> Pool:
    """Read the pool from the object's data; StoreUnreadable says what is wrong with `cluster.json`, and where.

    `known` is a pool read before: records that did not change since are taken over from it as they are.
    """
    data = {key: sound(text) for key, text in data.items()}
    try:
        array = json_edit.parse_array(data.get(CLUSTERS, "[]"), _objects(known))
    except json.JSONDecodeError as error:
        raise StoreUnreadable(
            f"{CLUSTERS} is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}); "
            "mend it by hand: nothing is written until then",
            key=CLUSTERS,
            line=error.lineno,
            column=error.colno,
        ) from None
    except ValueError as error:
        raise StoreUnreadable(
            f"{CLUSTERS}: {error}; mend it by hand: nothing is written until then", key=CLUSTERS
        ) from None
    before = {cluster.text: cluster for cluster in known.clusters} if known else {}
    clusters = tuple(_cluster(item, before) for item in array.items)
    others = {key: text for key, text in data.items() if key not in _OURS}
    asked = _or_aside(CREATIONS, data, others, lambda text: provisioning.parse(text, known.creations if known else ()))
    kept = _or_aside(POLICIES, data, others, lambda text: automatic_top_up.parse(text, known.policies if known else ()))
    empty = Pool(
        commit=commit,
        rules=rules,
        head=array.head,
        tail=array.tail,
        requests=_requests(data, known),
        other_keys=others,
        creations=asked,
        policies=kept,
        queue=_queue(data, known),
    )
    pool = empty.with_clusters(clusters, _history(data, known))
    _log_oddities("cluster", pool.clusters, known.clusters if known else ())
    _log_oddities("creation", pool.creations, known.creations if known else ())
    _log_oddities("policy", pool.policies, known.policies if known else ())
    _log_oddities("ticket", pool.queue, known.queue if known else ())
    return pool


def _log_oddities(kind: str, records: Sequence[Record], known: Sequence[Record]) -> None:
    """Say of records that were not read before what is wrong with them, of the first few one by one."""
    earlier = set(map(id, known))
    odd = [record for record in records if id(record) not in earlier and (record.fault or record.unreadable)]
    for record in odd[:_MOST_LOGGED]:
        what = f"is broken: {record.fault}" if record.fault else f"{', '.join(record.unreadable)} cannot be read"
        _log.warning("%s %s %s", kind, record.get_text("name") or record.get_text("purpose") or record.digest, what)
    if len(odd) > _MOST_LOGGED:
        _log.warning("%d more %s records are broken or have times that cannot be read", len(odd) - _MOST_LOGGED, kind)


_Records = TypeVar("_Records", tuple[Creation, ...], tuple[Policy, ...])


def _or_aside(key: str, data: Mapping[str, str], others: dict[str, str], read: Callable[[str], _Records]) -> _Records:
    """Read what people asked for; where it cannot be read its text is kept under another key, for somebody to mend."""
    try:
        return read(data.get(key, "[]"))
    except ValueError as error:
        _log.warning("%s cannot be read (%s): it is put aside as %s.unreadable", key, error, key)
        others[f"{key}.unreadable"] = data[key]
        return ()


def _objects(known: Pool | None) -> list[str]:
    return [cluster.text for cluster in known.clusters if cluster.text.startswith("{")] if known else []


def _cluster(item: json_edit.Item, before: dict[str, Cluster]) -> Cluster:
    known = before.pop(item.text, None)  # of two with the same text each is a record of its own
    if known is None:
        return Cluster(item.text, load(item.text) if item.value is None else item.value, item.gap)
    return known if known.gap == item.gap else known.with_gap(item.gap)


_Kept = TypeVar("_Kept", history.History, dict[str, RememberedRequest], queue_order.Queue)


def _or_anew(key: str, data: Mapping[str, str], read: Callable[[str], _Kept], empty: _Kept, then: str) -> _Kept:
    """Read what may be lost; where it cannot be read it begins anew."""
    try:
        return read(data.get(key, "[]"))
    except ValueError as error:
        _log.warning("%s cannot be read (%s): %s", key, error, then)
        return empty


def _history(data: Mapping[str, str], known: Pool | None) -> history.History:
    before = known.history if known else ()
    return _or_anew(HISTORY, data, lambda text: history.parse(text, before), (), "history begins anew")


def _requests(data: Mapping[str, str], known: Pool | None) -> dict[str, RememberedRequest]:
    before = known.requests if known else {}
    return _or_anew(REQUESTS, data, lambda text: idempotency.parse(text, before), {}, "earlier requests are forgotten")


def _queue(data: Mapping[str, str], known: Pool | None) -> queue_order.Queue:
    before = known.queue if known else ()
    return _or_anew(QUEUE, data, lambda text: queue_order.parse(text, before), (), "who waits has to ask again")


def encode(pool: Pool, now: datetime) -> tuple[Pool, dict[str, str]]:
    """Return the pool as it can be stored, and the data of the object.

    History shrinks first, then the remembered leases; PoolFull if the rest still cannot fit.
    """
    requests = idempotency.trimmed(pool.requests, now)
    pool = dataclasses.replace(pool, requests=requests, creations=provisioning.trimmed(pool.creations, now))
    rest = {**pool.other_keys, REQUESTS: idempotency.encode(requests)}
    if pool.creations:
        rest[CREATIONS] = provisioning.encode(pool.creations)
    if pool.policies:
        rest[POLICIES] = automatic_top_up.encode(pool.policies)
    if pool.queue:
        rest[QUEUE] = queue_order.encode(pool.queue)
    taken_by_rest = sum(_size(text) for text in rest.values())
    records = _records(pool)
    taken = taken_by_rest + _size(records)
    if taken > OBJECT_LIMIT:
        pool = _with_fewer_leases(pool, taken - OBJECT_LIMIT)
        records = _records(pool)
        taken = taken_by_rest + _size(records)
    room = OBJECT_LIMIT - taken
    if room < 0:
        raise PoolFull(f"the pool would be {-room} bytes larger than the {OBJECT_LIMIT} that an object may have")
    budget = min(max(OBJECT_AIM - taken, LEAST_HISTORY), room)
    kept = history.trimmed(pool.history, budget, len(pool.clusters))
    pool = dataclasses.replace(pool, history=kept)
    return pool, {**rest, CLUSTERS: records, HISTORY: history.encode(kept)}


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _records(pool: Pool) -> str:
    texts = [
        cluster.text if place == 0 else (cluster.gap if "," in cluster.gap else ", ") + cluster.text
        for place, cluster in enumerate(pool.clusters)
    ]
    return pool.head + "".join(texts) + pool.tail


def _with_fewer_leases(pool: Pool, excess: int) -> Pool:
    """Forget remembered leases, the largest records first, until `excess` bytes are saved."""
    clusters = list(pool.clusters)
    for place, cluster in sorted(enumerate(clusters), key=lambda pair: -pair[1].size):
        if excess <= 0:
            break
        if cluster.fault or "endedLeases" not in cluster.fields:
            continue
        clusters[place] = cluster.edited(endedLeases=None)
        excess -= cluster.size - clusters[place].size
    return pool.with_clusters(tuple(clusters), pool.history)
