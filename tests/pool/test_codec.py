"""The stored object: how it is read and written, and how it is kept within its size limit."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from cimaster.errors import PoolFull, StoreUnreadable
from cimaster.pool import ClusterFacts, Criteria, FinishRequest, Pool, Rules, add, codec, finish, take
from cimaster.pool.codec import CLUSTERS, CREATIONS, HISTORY, POLICIES, REQUESTS
from cimaster.pool.decisions import archiving, automatic_top_up, provisioning
from cimaster.pool.decisions.inventory import RECORDS_LIMIT
from cimaster.pool.records.object_size import OBJECT_LIMIT

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TEXT = ' [ {"name":"a","status" : "finished"}\n,{"x": 1.10, "name": "b", "status": "testing"} ,7]\n'


def decoded(text: str = TEXT, known: Pool | None = None, others: Mapping[str, str] | None = None) -> Pool:
    """Read a pool."""
    return codec.decode({CLUSTERS: text, **(others or {})}, 1, Rules(), known)


def fitted(pool: Pool) -> Pool:
    """Return the pool as it is stored."""
    return codec.encode(pool, NOW)[0]


def encoded(pool: Pool) -> dict[str, str]:
    """Return the data of the object."""
    return codec.encode(pool, NOW)[1]


def size(pool: Pool) -> int:
    """Return the bytes of all values of the object."""
    return sum(len(text.encode()) for text in encoded(pool).values())


def test_an_unchanged_pool_is_written_byte_for_byte() -> None:
    assert encoded(decoded())[CLUSTERS] == TEXT


def test_an_object_without_data_is_an_empty_pool() -> None:
    pool = codec.decode({}, 0, Rules())
    assert pool.clusters == ()
    assert encoded(pool) == {CLUSTERS: "[]", HISTORY: "[]", REQUESTS: "[]"}


def test_other_keys_are_kept() -> None:
    assert encoded(decoded(others={"notes.txt": "keep me"}))["notes.txt"] == "keep me"


def test_adding_and_deleting_records_does_not_change_the_others() -> None:
    pool, _ = add(decoded(), NOW, "c", "root", ClusterFacts("us"))
    text = encoded(pool)[CLUSTERS]
    assert text.startswith(TEXT.rstrip("]\n"))
    assert json.loads(text)[3]["name"] == "c"
    for gone in range(4):
        kept = pool.with_clusters(tuple(c for n, c in enumerate(pool.clusters) if n != gone), ())
        remaining = json.loads(encoded(kept)[CLUSTERS])
        assert remaining == [value for n, value in enumerate(json.loads(text)) if n != gone]
        assert all(cluster.text in encoded(kept)[CLUSTERS] for cluster in kept.clusters)


def test_a_record_can_be_added_to_an_empty_array_of_any_layout() -> None:
    for text in ("[]", "[ ]", " [\n\n] "):
        pool, _ = add(decoded(text), NOW, "a", "root", ClusterFacts("us"))
        pool, _ = add(pool, NOW, "b", "root", ClusterFacts("us"))
        assert [record["name"] for record in json.loads(encoded(pool)[CLUSTERS])] == ["a", "b"]


def test_unchanged_records_are_reused() -> None:
    known = decoded()
    again = decoded(TEXT.replace('"a"', '"changed"'), known)
    assert again.clusters[1] is known.clusters[1]
    assert again.clusters[0] is not known.clusters[0]


@pytest.mark.parametrize("text", ["", " ", "{}", "[", '[{"name": }]', "[NaN]", "[" * 5000])
def test_unreadable_data_are_refused_with_place_and_remedy(text: str) -> None:
    with pytest.raises(StoreUnreadable) as refusal:
        decoded(text)
    assert "cluster.json" in refusal.value.sentence
    assert "nothing is written until then" in refusal.value.sentence


def test_unreadable_history_and_requests_become_empty() -> None:
    pool = decoded(others={HISTORY: "{", REQUESTS: "{}"})
    assert (pool.history, pool.requests) == ((), {})
    assert len(pool.clusters) == 3


def pool_of(count: int, padding: int = 0) -> Pool:
    """Return a pool of many clusters, each with an unknown field of some bytes."""
    records = [{"name": f"cluster-{n:04}", "status": "finished", "padding": "x" * padding} for n in range(count)]
    return codec.decode({CLUSTERS: json.dumps(records)}, 1, Rules())


def after_use(pool: Pool, rounds: int) -> Pool:
    """Return the pool after every cluster was taken and given back this many times."""
    for round_ in range(rounds):
        for cluster in pool.clusters:
            criteria = Criteria("a-job-with-quite-a-long-name", str(round_), "a-user", cluster=cluster.name)
            pool, answer = take(pool, NOW, criteria, f"{round_:032}")
            pool, _ = finish(pool, NOW, FinishRequest(cluster.name, lease=answer.lease))
    return fitted(pool)


def test_sixty_busy_clusters_take_40_kb_once_their_history_is_archived() -> None:
    pool = after_use(pool_of(60, 200), 12)
    written, seen = dataclasses.replace(pool, commit=pool.next_commit), {entry.text for entry in pool.history}
    pool, _ = archiving.drop_archived(written, NOW, "archiver", written.commit, seen)
    assert size(fitted(pool)) < 40_000


def test_a_full_pool_still_lends_with_less_history_and_fewer_leases() -> None:
    pool = pool_of(1000, 100)
    filling = 850_000 // 1000
    pool = pool_of(1000, filling - len(pool.clusters[0].text) + 100)
    full = after_use(pool, 1)
    assert size(full) <= OBJECT_LIMIT
    assert len(full.clusters) == 1000
    taken, _ = take(full, NOW, Criteria("e2e", "1"), "l" * 32)
    assert size(fitted(taken)) <= OBJECT_LIMIT


def test_history_is_dropped_before_remembered_leases() -> None:
    pool = after_use(pool_of(100, 100), 2)
    room = size(pool) - len(encoded(pool)[HISTORY]) + 200
    crowded = fitted(codec.decode({**encoded(pool), "other": "x" * (OBJECT_LIMIT - room)}, 1, Rules()))
    assert len(crowded.history) <= 3
    assert all(cluster.ended_leases for cluster in crowded.clusters)
    tighter = fitted(codec.decode({**encoded(pool), "other": "x" * (OBJECT_LIMIT - room + 6_000)}, 1, Rules()))
    assert size(tighter) <= OBJECT_LIMIT
    assert sum(bool(cluster.ended_leases) for cluster in tighter.clusters) < 100
    assert len(tighter.clusters) == 100


def test_data_that_cannot_fit_are_refused() -> None:
    with pytest.raises(PoolFull):
        fitted(codec.decode({CLUSTERS: TEXT, "other": "x" * OBJECT_LIMIT}, 1, Rules()))


def test_a_thousand_clusters_fit_but_not_unlimited_ones() -> None:
    pool = pool_of(999, 250)
    pool, _ = add(pool, NOW, "one-more", "root", ClusterFacts("us-west", note="n" * 500))
    crowded = pool_of(1000, (RECORDS_LIMIT // 1000) - 500)
    with pytest.raises(PoolFull, match="delete clusters"):
        add(crowded, NOW, "one-more", "root", ClusterFacts("us-west"))
    take(crowded, NOW, Criteria("e2e", "1"), "l" * 32)


CREATION_LIST = '[\n{"id":"c-1","state":"running","purpose":"tess-ci","user":"john","ours?":{"no":[1]}}\n]'
POLICY_LIST = '[\n{"purpose":"tess-ci","minVacant":3,"maxTotal":5,"theirs":"x"}\n]'


def test_unchanged_creations_and_policies_keep_their_bytes() -> None:
    assert encoded(decoded(others={CREATIONS: CREATION_LIST, POLICIES: POLICY_LIST}))[CREATIONS] == CREATION_LIST
    assert encoded(decoded(others={CREATIONS: CREATION_LIST, POLICIES: POLICY_LIST}))[POLICIES] == POLICY_LIST


def test_keys_without_records_are_not_written() -> None:
    assert not {CREATIONS, POLICIES} & set(encoded(decoded()))


@pytest.mark.parametrize("text", ["{", "{}", '"x"', "[NaN]"])
def test_unreadable_creations_and_policies_are_kept_under_another_key(text: str) -> None:
    pool = decoded(others={CREATIONS: text, POLICIES: text})
    assert (pool.creations, pool.policies, len(pool.clusters)) == ((), (), 3)
    written = encoded(pool)
    assert (written[f"{CREATIONS}.unreadable"], written[f"{POLICIES}.unreadable"]) == (text, text)
    assert {CREATIONS, POLICIES}.isdisjoint(written)


@pytest.mark.parametrize("odd", ["5", '{"id": "c-9"}', '{"id": "c-9", "state": "lost"}', '{"purpose": 5}', "[1, 2]"])
def test_a_broken_record_is_kept_and_does_not_affect_others(odd: str) -> None:
    pool = decoded(
        others={
            CREATIONS: CREATION_LIST.replace("\n]", f",\n{odd}\n]"),
            POLICIES: POLICY_LIST.replace("\n]", f",\n{odd}\n]"),
        }
    )
    assert [creation.state for creation in pool.creations] == ["running", "broken"]
    assert [bool(policy.fault) for policy in pool.policies] == [False, True]
    (broken,) = pool.creations[1:]
    assert broken.is_shown
    assert not broken.may_bring_cluster
    assert provisioning.find_by_id(provisioning.dismiss(pool, NOW, broken.id, "root")[0], broken.id) is None
    remaining = automatic_top_up.remove_policy(pool, NOW, pool.policies[1].purpose)[0].policies
    assert [policy.purpose for policy in remaining] == ["tess-ci"]
    written = encoded(pool)
    assert odd in written[CREATIONS]
    assert odd in written[POLICIES]


def test_a_policy_with_unreadable_hours_requests_nothing() -> None:
    pool = decoded(others={POLICIES: '[{"purpose": "tess-ci", "minVacant": 9, "maxTotal": 9, "hours": "never"}]'})
    (policy,) = pool.policies
    assert automatic_top_up.status(pool, policy, NOW).wanted == 0
    assert "its hours cannot be read" in automatic_top_up.explain(pool, policy, NOW)


def test_unchanged_creations_and_policies_are_reused() -> None:
    known = decoded(others={CREATIONS: CREATION_LIST, POLICIES: POLICY_LIST})
    again = codec.decode({CLUSTERS: TEXT, CREATIONS: CREATION_LIST, POLICIES: POLICY_LIST}, 1, Rules(), known)
    assert again.creations[0] is known.creations[0]
    assert again.policies[0] is known.policies[0]
