"""A store that goes away, is emptied or is damaged by hand: clear 503s, reads go on, and it mends itself."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cimaster.repository import ConfigMapRepository
from cimaster.stores.port import Conflict, Store
from cimaster.stores.sqlite import SQLiteStore
from tests.conftest import ADMIN


def write_by_hand(store: Store, data: dict[str, str] | None, keep_annotations: bool = True) -> None:
    """Edit the object as somebody with kubectl would, whoever else writes."""
    while True:
        stored = store.read()
        try:
            store.replace(stored.replaced(data or {}, stored.annotations if keep_annotations else {}))
        except Conflict:
            continue
        return


def until(check) -> None:
    """Wait for a condition; the test's time-out ends what never comes."""
    import threading

    while not check():
        threading.Event().wait(0.02)


def take(client: FlaskClient, build: int = 1):
    return client.get(f"/getvacant?job=e2e&build={build}")


def test_broken_json_is_503_that_says_where_and_is_never_overwritten(add, client, store, repository) -> None:
    add("cluster-01", "cluster-02")
    broken = '[{"name": "cluster-01", "status": "finished"},\n {"name": oops}]'
    write_by_hand(store, {"cluster.json": broken})
    answer = take(client)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_unreadable")
    assert "line 2, column 11" in answer.text
    assert answer.headers["Retry-After"]
    assert "cluster-02" in client.get("/clusters").text  # the last good state
    assert "line 2" in client.get("/readyz").get_json()["store"]
    assert client.get("/readyz").status_code == 200
    assert store.read().data["cluster.json"] == broken
    write_by_hand(store, {"cluster.json": '[{"name": "cluster-03", "status": "finished"}]'})
    until(lambda: repository.trouble is None)
    assert take(client).text == "cluster-03"


@pytest.mark.parametrize("text", ['{"name": "a"}', "7", '"x"', "[1,]", "[" * 5000, "[" + "9" * 5000 + "]", "[1] 2"])
def test_what_is_no_array_is_unreadable_and_stays(add, client, store, text: str) -> None:
    add("cluster-01")
    write_by_hand(store, {"cluster.json": text})
    assert take(client).headers["CIMaster-Code"] == "store_unreadable"
    assert store.read().data["cluster.json"] == text


def test_emptied_data_are_not_an_empty_pool(add, client, store, repository) -> None:
    add("cluster-01")
    before = dict(store.read().data)
    write_by_hand(store, {})
    assert take(client).headers["CIMaster-Code"] == "store_went_back"
    write_by_hand(store, before)
    until(lambda: repository.trouble is None)
    assert take(client).text == "cluster-01"


def test_an_older_backup_is_accepted_and_the_counter_goes_on(add, client, store, repository) -> None:
    add("cluster-01")
    backup = store.read()
    add("cluster-02", "cluster-03")
    commit = repository.fresh().commit
    while True:
        try:
            store.replace(backup.at(store.read().version))
            break
        except Conflict:
            continue
    answer = take(client)
    assert answer.text == "cluster-01"
    assert int(answer.headers["CIMaster-Commit"]) > commit
    assert take(client, 2).status_code == 404


def test_a_replace_without_version_is_refused(store) -> None:
    with pytest.raises(ValueError, match="overwrite"):
        store.replace(store.read().at(""))


def test_whatever_is_not_ours_survives(add, client, store) -> None:
    stored = store.read()
    body = {**stored.body, "binaryData": {"logo.png": "aGk="}, "data": {"README": "keep me", "cluster.json": "[]"}}
    body["metadata"] = {**body["metadata"], "labels": {"team": "ci"}, "annotations": {"owner": "alice"}}
    store.replace(type(stored)(body).at(stored.version))
    add("cluster-01")
    take(client)
    kept = store.read()
    assert kept.data["README"] == "keep me"
    assert kept.body["binaryData"] == {"logo.png": "aGk="}
    assert kept.body["metadata"]["labels"]["team"] == "ci"
    assert kept.annotations["owner"] == "alice"


@pytest.mark.kube
class TestConfigMap:
    """What only happens to a ConfigMap."""

    @pytest.fixture(params=["kubernetes"])
    def store(self, store: Store) -> Store:
        return store


class TestFile:
    """What only happens to a file."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteStore:
        return SQLiteStore(str(tmp_path / "pool.db"), "clusters")

    def test_a_deleted_file_is_missing_and_found_when_it_is_back(
        self, add, client, store: SQLiteStore, repository: ConfigMapRepository
    ) -> None:
        add("cluster-01")
        moved = store.path.with_suffix(".moved")
        store.path.rename(moved)
        answer = take(client)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_missing")
        assert str(store.path) in answer.text
        assert "cluster-01" in client.get("/clusters").text
        moved.rename(store.path)
        until(lambda: repository.trouble is None)
        assert take(client).text == "cluster-01"

    def test_two_processes_see_each_others_changes(self, add, client, store: SQLiteStore, repository) -> None:
        add("cluster-01")
        other = SQLiteStore(str(store.path), "clusters")
        stored = other.read()
        records = json.loads(stored.data["cluster.json"])
        records[0]["note"] = "from elsewhere"
        other.replace(stored.replaced({**stored.data, "cluster.json": json.dumps(records)}, stored.annotations))
        until(lambda: "from elsewhere" in client.get("/clusters/cluster-01").text)
        other.close()


def test_one_change_that_cannot_be_stored_fails_alone(add, client, service, store) -> None:
    add("cluster-01")
    filler = "x" * 999_000
    write_by_hand(store, {**store.read().data, "other": filler})
    assert client.post("/addcluster", data={"cluster": "b", "region": "r", "name": ADMIN}).status_code in (200, 422)
    refused = [
        client.post("/updatecluster", data={"cluster": "cluster-01", "name": ADMIN, "note": "n" * 500}).status_code
        for _ in range(2)
    ]
    assert set(refused) <= {200, 422}
    assert service.repository.fresh().object.data["other"] == filler
