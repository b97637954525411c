"""Idempotency: a request with an id is carried out once, and its repeats get the same answer."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from cimaster.errors import NoVacantCluster, Refusal, RequestIdReused, RequestOver
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.ended_lease import hash_of_request
from cimaster.pool.records.owners import scoped
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.remembered_request import RememberedRequest, hash_of_parameters, request_key

KEPT_FOR = timedelta(hours=1)
WAIT_OVER = "the wait was over"
BUDGET = 16_000  # bytes of the stored object; a caller that exceeds its share loses its own oldest requests


@dataclass(frozen=True)
class Request:
    """A caller's request_id, a hash of the verb and all its parameters, and the owner of the request.

    Ids count per owner, so that two callers may send the same one.
    """

    id: str
    hash: str
    verb: str
    owner: str = ""

    @property
    def scoped_id(self) -> str:
        """The id within the process, with its owner if that is verified."""
        return scoped(self.id, self.owner)

    @cached_property
    def known_ids(self) -> frozenset[str]:
        """The ids under which its first try may be stored; the one without an owner if that was sent in open mode."""
        return frozenset((self.scoped_id, self.id))

    @property
    def key(self) -> str:
        """The key under which it is remembered."""
        return request_key(self.scoped_id)


def once(
    pool: Pool, now: datetime, request: Request | None, decide: Callable[[], tuple[Pool, Answer]]
) -> tuple[Pool, Answer]:
    """Carry out `decide`; if this request was carried out before, return its earlier answer instead."""
    if request is None:
        return decide()
    if live_take(pool, request.known_ids):
        raise id_reused(request.id)
    earlier = _earlier(pool, request)
    if earlier:
        cluster = pool.clusters[pool.positions[earlier.cluster]] if earlier.cluster in pool.positions else None
        return pool, Answer(earlier.say, cluster, earlier.lease, repeated=True)
    pool, answer = decide()
    carried_out = RememberedRequest.new(
        request.scoped_id,
        request.hash,
        request.verb,
        now,
        cluster=answer.cluster.name if answer.cluster else "",
        say=answer.text,
        lease=answer.lease,
        owner=request.owner,
    )
    return pool.remember(carried_out), answer


def earlier_take(pool: Pool, request: Request) -> Cluster | None:
    """Return the cluster that this take still has; RequestOver if its lease has ended; None if the request is new."""
    live = live_take(pool, request.known_ids)
    if live and live.lease and live.lease.request_hash != request.hash:
        raise id_reused(request.id)
    if live:
        return live
    earlier = _earlier(pool, request)
    if earlier and earlier.say:
        raise _no_longer_waiting(earlier, request)
    ended = set(map(hash_of_request, request.known_ids))
    if earlier or any(lease.request in ended for cluster in pool.clusters for lease in cluster.ended_leases):
        raise RequestOver(
            f"the take with request_id {request.id} was granted and has ended: "
            "use a new request_id to take another cluster",
            request_id=request.id,
        )
    return None


def _no_longer_waiting(earlier: RememberedRequest, request: Request) -> Refusal:
    """Return the refusal for a request that is no longer in the queue."""
    sentence = f"{earlier.say}: use a new request_id to wait again"
    if earlier.say.startswith(WAIT_OVER):
        return NoVacantCluster(sentence, request_id=request.id)
    return RequestOver(sentence, request_id=request.id)


def live_take(pool: Pool, identities: Collection[str]) -> Cluster | None:
    """Return the cluster that the take with one of these ids has now."""
    return next((c for c in pool.clusters if c.lease and c.lease.request in identities), None)


def _earlier(pool: Pool, request: Request) -> RememberedRequest | None:
    own_first = sorted(request.known_ids, key=len, reverse=True)  # the same order in all replicas
    keys = map(request_key, own_first)
    earlier = next((pool.requests[key] for key in keys if key in pool.requests), None)
    if earlier and (earlier.verb != request.verb or earlier.hash not in ("", hash_of_parameters(request.hash))):
        raise id_reused(request.id)
    return earlier


def id_reused(identity: str) -> RequestIdReused:
    """Return the refusal of a request whose id was used for another request."""
    return RequestIdReused(
        f"request_id {identity} was already used for another request: use a new one (a uuid) for each request",
        request_id=identity,
    )


def trimmed(requests: Mapping[str, RememberedRequest], now: datetime) -> Mapping[str, RememberedRequest]:
    """Return the requests of the last hour; if they do not all fit, only the newest of each caller.

    A request without a readable time is kept while there is room for it.
    """
    oldest = now - KEPT_FOR
    kept = [request for request in requests.values() if request.at is None or request.at >= oldest]
    if sum(request.size for request in kept) > BUDGET:
        kept = _newest_of_each_caller(kept)
    return requests if len(kept) == len(requests) else {request.key: request for request in kept}


def _newest_of_each_caller(requests: list[RememberedRequest]) -> list[RememberedRequest]:
    used = Counter[str]()
    for request in requests:
        used[request.owner] += request.size
    room = dict.fromkeys(used, fair_shares.fair_level(used.values(), BUDGET))
    kept: list[RememberedRequest] = []
    for request in reversed(requests):
        room[request.owner] -= request.size
        if room[request.owner] >= 0:
            kept.append(request)
    return kept[::-1]
