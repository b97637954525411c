"""The pool after it was brought into line with an inventory: only facts change, and nothing in use is removed."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.common.errors import Problem
from cimaster.errors import BadParameter, MissingParameter, Refusal
from cimaster.pool import ClusterFacts
from cimaster.pool.codec import CLUSTERS
from cimaster.pool.decisions import inventory_plan
from cimaster.pool.decisions.inventory_plan import Inventory, Plan, SyncTerms
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.services import inventory_sync
from cimaster.services.import_export import importing
from cimaster.services.inventory_sync import StepResult
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings
from tests.conftest import Add
from tests.repository.test_trouble import write_by_hand

JSON = {"Accept": "application/json"}
HERE = ClusterFacts(region="us-west")
ALICE = SyncTerms("alice")
FORCED = SyncTerms("alice", force=True, reason="its rack is moved")


def planned(repository: ConfigMapRepository, wanted: Inventory) -> Plan:
    """Return the plan for the current pool."""
    return inventory_plan.plan(repository.fresh().pool, wanted)


def synced(
    repository: ConfigMapRepository, wanted: Inventory, terms: SyncTerms = ALICE
) -> tuple[Plan, list[StepResult]]:
    """Carry out the plan for an inventory."""
    plan = planned(repository, wanted)
    return plan, list(inventory_sync.carry_out(repository, plan, terms))


def record(client: FlaskClient, name: str) -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def test_clusters_are_added_changed_and_removed(repository: ConfigMapRepository, client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02", "cluster-03", note="old")
    wanted = {
        "cluster-01": HERE,
        "cluster-02": ClusterFacts(region="us-east", labels={"gpu": "yes"}, note=""),
        "cluster-04": ClusterFacts(region="eu", labels={}, note="new"),
    }
    plan, results = synced(repository, wanted)
    assert inventory_sync.plan_lines(plan) == [
        "+ cluster-04 (region eu, note new)",
        "~ cluster-02: region us-west -> us-east; labels none -> gpu=yes; note old -> none",
        "- cluster-03 (vacant)",
        "= 1 unchanged",
    ]
    assert [str(result) for result in results] == [
        "done: cluster cluster-04 is added successfully",
        "done: cluster cluster-02 is updated",
        "done: cluster cluster-03 is deleted",
    ]
    assert inventory_sync.summary(plan, results) == "3 done"
    assert record(client, "cluster-01")["note"] == "old"
    changed = record(client, "cluster-02")
    assert (changed["region"], changed["labels"], changed.get("note")) == ("us-east", {"gpu": "yes"}, None)
    entries = client.get("/history?limit=3", headers=JSON).get_json()["history"]
    assert {(entry["event"], entry["by"]) for entry in entries} == {
        ("added", "alice"),
        ("updated", "alice"),
        ("deleted", "alice"),
    }
    assert planned(repository, wanted).steps == ()


def test_a_second_sync_has_nothing_to_do(repository: ConfigMapRepository) -> None:
    wanted = {"cluster-01": ClusterFacts(region="us", note="a b", labels={"a": "b"}, osimage="")}
    synced(repository, wanted)
    plan, results = synced(repository, wanted)
    assert (plan.steps, results) == ((), [])


def test_leases_holds_disabled_and_health_stay(repository: ConfigMapRepository, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = client.get("/getvacant?build=1&job=e2e").headers["CIMaster-Lease"]
    client.get("/holdcluster?cluster=cluster-01&name=bob")
    client.get("/disablecluster?cluster=cluster-01&name=root&reason=switch")
    client.get("/healthcluster?cluster=cluster-01&name=root&health=suspect&reason=slow")
    synced(repository, {"cluster-01": ClusterFacts(region="us-east", purpose="perf")})
    shown = record(client, "cluster-01")
    assert (shown["region"], shown["purpose"]) == ("us-east", "perf")
    assert (shown["leaseId"], shown["holdBy"], shown["disabledReason"]) == (lease, "bob", "switch")
    assert shown["health"] == "suspect"


@pytest.mark.parametrize(
    ("call", "situation"),
    [
        ("/getvacant?build=124&job=e2e&cluster=cluster-02", "occupied by e2e #124"),
        ("/holdcluster?cluster=cluster-02&name=bob", "held by bob until"),
    ],
    ids=["occupied", "held"],
)
def test_a_cluster_in_use_is_removed_only_with_force(
    repository: ConfigMapRepository, client: FlaskClient, add: Add, call: str, situation: str
) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    assert client.get(call).status_code == 200
    plan, results = synced(repository, {"cluster-01": HERE})
    assert inventory_sync.summary(plan, results) == "1 done, 1 failed: cluster-02"
    assert str(results[0]).startswith(f"failed: cluster-02: it is {situation}")
    assert str(results[0]).endswith("wait until it is free, or add --force and --reason")
    assert client.get("/clusters/cluster-02").status_code == 200
    plan, results = synced(repository, {"cluster-01": HERE}, FORCED)
    assert inventory_sync.summary(plan, results) == "1 done"
    entry = client.get("/history?limit=1", headers=JSON).get_json()["history"][0]
    assert (entry["event"], entry["by"], entry["reason"]) == ("deleted", "alice", "its rack is moved")


def emptied(repository: ConfigMapRepository, wanted: Inventory) -> str:
    """Return why a plan is refused."""
    with pytest.raises(Refusal) as refused:
        planned(repository, wanted).check()
    return str(refused.value)


def test_a_plan_that_empties_a_purpose_is_refused(repository: ConfigMapRepository, add: Add) -> None:
    add("cluster-01", "cluster-02")
    add("tnet-01", "tnet-02", purpose="tnet-ci", osimage="flatcar")
    perf = ClusterFacts(purpose="perf")
    assert "for purpose tnet-ci (now tnet-01, tnet-02), so" in emptied(repository, {"cluster-01": HERE})
    assert "for purpose tnet-ci" in emptied(repository, {"cluster-01": HERE, "tnet-01": perf, "tnet-02": perf})
    assert "tess-ci (now cluster-01, cluster-02) and tnet-ci" in emptied(repository, {})
    planned(repository, {"cluster-01": HERE, "tnet-02": ClusterFacts()}).check()
    replaced = {"tnet-03": ClusterFacts(region="eu", purpose="tnet-ci", osimage="flatcar")}
    planned(repository, {"cluster-01": HERE, **replaced}).check()


def test_the_last_cluster_of_a_purpose_stays_if_its_successor_fails(
    repository: ConfigMapRepository, client: FlaskClient, add: Add
) -> None:
    add("cluster-01", "old")
    plan = planned(repository, {"new": HERE})
    plan.check()
    add("new", region="elsewhere", purpose="perf")  # by another admin, after the plan was made
    results = list(inventory_sync.carry_out(repository, plan, ALICE))
    assert [(result.step.name, result.done) for result in results] == [
        ("new", False),
        ("cluster-01", True),
        ("old", False),
    ]
    assert "it is the last cluster of purpose tess-ci: add another one first" in str(results[2])
    assert client.get("/clusters/old").status_code == 200


def test_a_cluster_that_is_gone_already_counts_as_removed(
    repository: ConfigMapRepository, client: FlaskClient, add: Add
) -> None:
    add("cluster-01", "cluster-02")
    plan = planned(repository, {"cluster-01": HERE})
    client.get("/deletecluster?cluster=cluster-02&name=root")
    results = list(inventory_sync.carry_out(repository, plan, ALICE))
    assert [str(result) for result in results] == ["done: cluster cluster-02 was deleted already"]


BROKEN = '[{"name": "Odd_1", "status": "finished", "region": "US  West"},\n {"name": "b", "status": "x"}, 7]'


def test_broken_records_are_named_and_keep_their_bytes(repository: ConfigMapRepository, settings: Settings) -> None:
    repository.update(importing(data_of(BROKEN), settings, replace=True))
    plan, results = synced(repository, {"Odd_1": ClusterFacts(region="US West"), "b": HERE, "c": HERE})
    assert [str(result) for result in results] == ["done: cluster c is added successfully"]
    lines = inventory_sync.plan_lines(plan)
    assert lines[1].startswith("! #1.")
    assert lines[1].endswith("(b) is broken ('status' is neither 'finished' nor 'testing'): left as it is")
    assert lines[2].endswith("is broken (the record is not an object): left as it is")
    assert repository.fresh().object.data[CLUSTERS].startswith(BROKEN.removesuffix("]"))


@pytest.mark.parametrize(
    ("wanted", "kind", "reason"),
    [
        ({"Odd_2": HERE}, BadParameter, "cluster Odd_2 cannot be added: expected a name of 1 to 63 lower case"),
        ({"any": HERE}, BadParameter, "cluster any cannot be added: expected another name"),
        ({"new": ClusterFacts()}, MissingParameter, "cluster new is new and has no region"),
        ({"new": ClusterFacts(region="")}, BadParameter, "cluster new has region none"),
        ({"old": ClusterFacts(region="")}, BadParameter, "cluster old has region none: expected 1 to 100"),
        ({"old": ClusterFacts(purpose="")}, BadParameter, "cluster old has purpose none: expected 1 to 100"),
        ({"old": ClusterFacts(region="x y")}, BadParameter, "cluster old has region x y: expected 1 to 100"),
        ({"old": ClusterFacts(labels={"a": "x y"})}, BadParameter, "has labels a=x y: expected key=value"),
        ({"old": ClusterFacts(note="x" * 501)}, BadParameter, "expected at most 500 characters"),
        ({"old": ClusterFacts(purpose="tnet-ci")}, MissingParameter, "cluster old has purpose tnet-ci and no osimage"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_that_must_not_be_written_is_refused(
    repository: ConfigMapRepository, add: Add, wanted: Inventory, kind: type[Problem], reason: str
) -> None:
    add("old")
    with pytest.raises(kind, match=reason):
        planned(repository, wanted)


def test_after_trouble_with_the_store_the_rest_is_not_tried(
    repository: ConfigMapRepository, store: Store, add: Add
) -> None:
    add("cluster-01")
    plan = planned(repository, dict.fromkeys(("cluster-01", "a", "b", "c"), HERE))
    results = []
    for result in inventory_sync.carry_out(repository, plan, ALICE):
        results.append(result)
        write_by_hand(store, {CLUSTERS: "not JSON"})
    assert [result.done for result in results] == [True, False]
    assert inventory_sync.summary(plan, results) == "1 done, 1 not tried, 1 failed: b"
