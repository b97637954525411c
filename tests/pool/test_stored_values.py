"""Whatever is stored, decisions raise nothing but refusals, and write only what can be read back."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings

from cimaster.errors import Refusal
from cimaster.pool import (
    UNVERIFIED,
    Answer,
    ClusterFacts,
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    PurposeTerms,
    Request,
    Return,
    Rules,
    WaitTerms,
    add,
    cancel,
    codec,
    delete,
    disable,
    enable,
    expire,
    extend,
    finish,
    hand_over,
    hold,
    hold_any,
    hold_or_wait,
    leave,
    mark_disconnected,
    once,
    release,
    renew,
    set_health,
    set_purpose,
    take,
    take_or_wait,
    take_over,
    undo,
    update,
)
from cimaster.pool.decisions import automatic_top_up, checking, creation_attempts, hold_queue, provisioning, queue_order
from cimaster.pool.decisions.automatic_top_up import PolicyTerms
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.decisions.creation_attempts import FailedAttempt, TriggeredJob
from cimaster.pool.decisions.expected_wait import expected_waits
from cimaster.pool.decisions.provisioning import CreationRequest
from cimaster.pool.records.creation import JOB
from cimaster.services.history import Page
from cimaster.web import history_lists, text_lists
from tests.stored import NOW, OBJECTS

MINUTE = timedelta(minutes=1)
Decision = Callable[[Pool, datetime], tuple[Pool, Answer]]


def decisions(pool: Pool) -> Iterator[Decision]:
    """Yield every decision, for every record that can be named."""
    yield lambda p, now: take(
        p, now, Criteria("e2e", "9", labels={"gpu": "yes"}), "l-9", Request("r-1", "h", "getvacant")
    )
    yield lambda p, now: take_or_wait(
        p, now, Criteria("e2e", "9"), "l-9", WaitTerms(MINUTE), Request("r-3", "h", "getvacant")
    )
    yield lambda p, now: take_or_wait(p, now, Criteria("e2e", "9"), "l-9", WaitTerms())
    yield lambda p, now: hold_or_wait(p, now, Criteria("", "", "bob"), "bob", HoldTerms("why"), MINUTE)
    yield lambda p, now: (hold_queue.serve(p, now), Answer(""))
    yield lambda p, now: hold_any(p, now, Criteria("", ""), "bob")
    yield lambda p, now: once(p, now, Request("r-2", "h", "holdcluster"), lambda: hold(p, now, "cluster-01", "bob"))
    yield lambda p, now: add(p, now, "cluster-01", "al", ClusterFacts("us"))
    yield lambda p, now: add(p, now, "new", "al", ClusterFacts("us"))
    yield lambda p, now: undo(p, now, "l-1")
    yield lambda p, now: automatic_top_up.top_up(p, now, [f"c-{n}" for n in range(10, 30)], "e2e", "master")
    yield lambda p, now: provisioning.create(p, now, CreationRequest("tess-ci", "al", "master", "e2e"), "c-9")
    for name in {*(cluster.name for cluster in pool.clusters), *map(pool.reference, pool.clusters)}:
        yield from of_cluster(name)
    for identity in {ticket.id for ticket in pool.queue}:
        yield from of_ticket(identity)
    for creation in pool.creations:
        yield from of_creation(creation.id, creation.idempotency_key)
    for purpose in {policy.purpose for policy in pool.policies}:
        yield from of_policy(purpose)


def of_ticket(identity: str) -> Iterator[Decision]:
    """Yield every decision about one ticket."""
    yield lambda p, now: mark_disconnected(p, now, identity, MINUTE)
    yield lambda p, now: leave(p, now, identity)
    yield lambda p, now: cancel(p, now, identity, "bob")


def of_policy(purpose: str) -> Iterator[Decision]:
    """Yield every decision about one policy."""
    yield lambda p, now: automatic_top_up.set_policy(p, now, purpose, "root", PolicyTerms(min_vacant=1, max_total=2))
    yield lambda p, now: automatic_top_up.remove_policy(p, now, purpose)
    yield lambda p, now: set_purpose(p, now, purpose, "root", PurposeTerms("ping", MINUTE, "wipe", "clean"))
    yield lambda p, now: set_purpose(p, now, purpose, "root", PurposeTerms("", None, "", ""))


def of_cluster(name: str) -> Iterator[Decision]:
    """Yield every decision about one cluster."""
    yield lambda p, now: take(p, now, Criteria("e2e", "9", cluster=name, ttl=MINUTE), "l-9")
    yield lambda p, now: finish(p, now, FinishRequest(name, job="e2e", build="7"))
    yield lambda p, now: finish(p, now, FinishRequest(name))
    yield lambda p, now: finish(p, now, FinishRequest(name, returned=Return("error", MINUTE)))
    yield lambda p, now: set_health(p, now, name, "root", "quarantined", "why")
    yield lambda p, now: set_health(p, now, name, "root", "ok")
    yield lambda p, now: checking.claim(p, now, name, "x", MINUTE)
    yield lambda p, now: checking.renew_claim(p, now, name, "x", MINUTE)
    yield lambda p, now: checking.release_claim(p, now, name, "x")
    yield lambda p, now: checking.record_outcome(p, now, name, "x", "")
    yield lambda p, now: checking.record_outcome(p, now, name, "x", "no answer")
    yield lambda p, now: renew(p, now, name, "l-1", None)
    yield lambda p, now: renew(p, now, name, "l-1", MINUTE)
    yield lambda p, now: hold(p, now, name, "al", HoldTerms("why", MINUTE, ("carol",)))
    yield lambda p, now: hold(p, now, name, "bob")
    yield lambda p, now: extend(p, now, name, "al", MINUTE)
    yield lambda p, now: extend(p, now, name, "al", now + timedelta(hours=9))
    yield lambda p, now: hand_over(p, now, name, "al", False, "bob")
    yield lambda p, now: take_over(p, now, name, "root", "al", "why")
    yield lambda p, now: release(p, now, name, "bob", True)
    yield lambda p, now: disable(p, now, name, "root", "why")
    yield lambda p, now: enable(p, now, name, "root")
    yield lambda p, now: update(p, now, name, "root", ClusterFacts(note="x"))
    yield lambda p, now: delete(p, now, name, "root", force=True, reason="x")


def of_creation(identity: str, key: str) -> Iterator[Decision]:
    """Yield every decision about one creation."""
    said = TriggeredJob("j-1", "http://x", "http://x", "m")
    yield lambda p, now: add(p, now, "new", "al", ClusterFacts("us"), identity)
    yield lambda p, now: provisioning.retry(p, now, identity, "bob")
    yield lambda p, now: provisioning.dismiss(p, now, identity, "bob")
    yield lambda p, now: creation_attempts.claim(p, now, identity, "x", MINUTE, builds=False)
    yield lambda p, now: creation_attempts.record_trigger(p, now, identity, key, said)
    yield lambda p, now: creation_attempts.record_failure(p, now, identity, "x", FailedAttempt(JOB, "quota"))
    yield lambda p, now: creation_attempts.record_failure(
        p, now, identity, "x", FailedAttempt("unreachable", "gone", unknown=True)
    )
    yield lambda p, now: creation_attempts.renew_claim(p, now, identity, "x", MINUTE)
    yield lambda p, now: creation_attempts.release_claim(p, now, identity, "x")
    yield lambda p, now: creation_attempts.record_job_status(p, now, identity, said, True, "it failed")


def read_again(pool: Pool, now: datetime) -> Pool:
    """Return the pool as read back after a write; check that strict JSON parsers accept what was written."""
    stored, data = codec.encode(pool, now)
    for text in data.values():
        text.encode()
    again = codec.decode(data, 1, Rules())
    assert [cluster.text for cluster in again.clusters] == [cluster.text for cluster in stored.clusters]
    assert [ticket.text for ticket in again.queue] == [ticket.text for ticket in stored.queue]
    assert [creation.text for creation in again.creations] == [creation.text for creation in stored.creations]
    assert [policy.text for policy in again.policies] == [policy.text for policy in stored.policies]
    assert [rules.text for rules in again.purpose_rules] == [rules.text for rules in stored.purpose_rules]
    assert len(again.history) == len(stored.history)
    return again


def show(pool: Pool, now: datetime) -> None:
    """Render every list."""
    shown = Filter(q="x").of(pool) + list(pool.clusters)
    texts = [
        text_lists.as_text(pool, shown),
        *(text_lists.one(pool, cluster) for cluster in shown),
        history_lists.as_text(Page(list(pool.history), None)),
        text_lists.creations(pool.creations, now, False),
        text_lists.purposes(pool),
        text_lists.queue(queue_order.in_serving_order(pool, now), now, expected_waits(pool, now), UNVERIFIED),
        text_lists.policies([(policy, automatic_top_up.explain(pool, policy, now)) for policy in pool.policies]),
    ]
    for text in texts:
        assert all(line.isprintable() for line in text.split("\n"))
        text.encode()
    json.loads(text_lists.as_json(pool, pool.clusters, UNVERIFIED), parse_int=float, parse_constant=pytest.fail)
    json.dumps(
        [*(made.described(UNVERIFIED) for made in pool.creations), *(policy.described() for policy in pool.policies)],
        allow_nan=False,
    )
    json.dumps([rules.described() for rules in pool.purpose_rules], allow_nan=False)
    json.dumps([ticket.described(UNVERIFIED, 1, now) for ticket in pool.queue], allow_nan=False)


@settings(deadline=None, max_examples=settings().max_examples // 2)  # each takes a third of a second
@given(OBJECTS)
def test_no_stored_value_makes_a_decision_a_list_or_an_encoder_raise(data: dict[str, str]) -> None:
    read = codec.decode(data, 1, Rules())
    untouched = codec.encode(read, NOW)[1]
    assert untouched[codec.CLUSTERS] == data[codec.CLUSTERS]
    for now in (NOW, NOW + timedelta(hours=2), NOW + timedelta(days=3), NOW + timedelta(days=3650)):
        pool = read_again(expire(read, now), now)
        due = expire(pool, now).due
        assert due is None or due > now
        show(pool, now)
    pool = expire(read, NOW)
    for decide in decisions(pool):
        with contextlib.suppress(Refusal):
            changed, answer = decide(pool, NOW)
            read_again(expire(changed, NOW + MINUTE), NOW)
            assert answer.lease.isprintable()
