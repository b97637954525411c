"""A store that is unavailable, emptied or damaged by hand: 503s with a reason, reads continue, and writes recover."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kubernetes.client import CoreV1Api
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.common.settings import BadSetting
from cimaster.errors import StoreTrouble
from cimaster.pool.records.object_size import OBJECT_LIMIT
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores import check_access
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.repository.stores.port import Conflict, Store
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import ADMIN, Add, empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane


def write_by_hand(store: Store, data: dict[str, str] | None, keep_annotations: bool = True) -> None:
    """Edit the object as an operator with kubectl would, even while others write."""
    while True:
        stored = store.read()
        try:
            store.replace(stored.replaced(data or {}, stored.annotations if keep_annotations else {}))
        except Conflict:
            continue
        return


def take(client: FlaskClient, build: int = 1) -> TestResponse:
    return client.get(f"/getvacant?job=e2e&build={build}")


def test_broken_json_is_located_and_never_overwritten(
    add: Add, client: FlaskClient, store: Store, repository: ConfigMapRepository
) -> None:
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


@pytest.mark.parametrize("text", ['{"name": "a"}', "7", '"x"', "[1,]", "[" * 5000, "[1] 2"])
def test_data_that_are_not_an_array_are_never_overwritten(
    add: Add, client: FlaskClient, store: Store, text: str
) -> None:
    add("cluster-01")
    write_by_hand(store, {"cluster.json": text})
    assert take(client).headers["CIMaster-Code"] == "store_unreadable"
    assert store.read().data["cluster.json"] == text


def test_emptied_data_are_not_an_empty_pool(
    add: Add, client: FlaskClient, store: Store, repository: ConfigMapRepository
) -> None:
    add("cluster-01")
    before = dict(store.read().data)
    write_by_hand(store, {})
    assert take(client).headers["CIMaster-Code"] == "store_went_back"
    write_by_hand(store, before)
    until(lambda: repository.trouble is None)
    assert take(client).text == "cluster-01"


def test_an_older_backup_is_accepted_and_the_counter_continues(
    add: Add, client: FlaskClient, store: Store, repository: ConfigMapRepository
) -> None:
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


def test_a_replace_without_version_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="overwrite"):
        store.replace(store.read().at(""))


def test_a_manual_edit_that_keeps_our_annotations_is_shown(add: Add, client: FlaskClient, another_store: Store) -> None:
    add("cluster-01")
    stored = another_store.read()
    text = stored.data["cluster.json"].replace("cluster-01", "cluster-99")
    another_store.replace(stored.replaced({**stored.data, "cluster.json": text}, stored.annotations))
    another_store.close()
    until(lambda: "cluster-99" in client.get("/clusters").text)


def test_unknown_parts_of_the_object_are_kept(add: Add, client: FlaskClient, store: Store) -> None:
    stored = store.read()
    store.replace(stored.replaced({"README": "keep me", "cluster.json": "[]"}, {"owner": "alice"}))
    add("cluster-01")
    take(client)
    kept = store.read()
    assert kept.data["README"] == "keep me"
    assert kept.annotations["owner"] == "alice"


class TestConfigMap:
    """Trouble that only a ConfigMap can have."""

    @pytest.fixture
    def store(self, control_plane: ControlPlane, kube_access: str) -> Store:
        empty_config_map(control_plane, kube_access)
        return KubernetesStore(kube_access_by(), kube_access, "clusters")

    def test_a_deleted_config_map_is_missing_until_it_is_restored(
        self,
        add: Add,
        client: FlaskClient,
        control_plane: ControlPlane,
        kube_access: str,
        repository: ConfigMapRepository,
        store: Store,
    ) -> None:
        add("cluster-01")
        before = store.read()
        with control_plane.admin as admin:
            CoreV1Api(admin).delete_namespaced_config_map("clusters", kube_access)
            answer = take(client)
            assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_missing")
            assert f"{kube_access}/clusters" in answer.text
            assert "cluster-01" in client.get("/clusters").text
            metadata = {"name": "clusters", "annotations": dict(before.annotations)}
            again: Any = {"metadata": metadata, "data": dict(before.data)}
            CoreV1Api(admin).create_namespaced_config_map(kube_access, again)
        until(lambda: repository.trouble is None)
        assert take(client).text == "cluster-01"

    def test_a_new_config_map_without_data_is_not_an_empty_pool(
        self, add: Add, client: FlaskClient, control_plane: ControlPlane, kube_access: str
    ) -> None:
        add("cluster-01")
        empty_config_map(control_plane, kube_access)
        assert take(client).headers["CIMaster-Code"] in ("store_went_back", "store_missing")
        assert take(client).headers["CIMaster-Code"] == "store_went_back"

    def test_reads_continue_while_the_api_server_is_down(
        self, add: Add, client: FlaskClient, control_plane: ControlPlane, repository: ConfigMapRepository
    ) -> None:
        add("cluster-01", "cluster-02")
        control_plane.kill_apiserver()
        try:
            answer = take(client)
            assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_unavailable")
            assert "cannot be reached" in answer.text
            assert answer.headers["Retry-After"]
            assert "cluster-02" in client.get("/clusters").text
            assert client.get("/readyz").status_code == 200
        finally:
            control_plane.start_apiserver()
        until(lambda: repository.trouble is None)
        assert take(client).text == "cluster-01"

    def test_missing_permissions_are_named(self, app: Flask, control_plane: ControlPlane) -> None:
        namespace = control_plane.namespace()
        empty_config_map(control_plane, namespace)
        store = KubernetesStore(kube_access_by(), namespace, "clusters")  # its service account is of another namespace
        with pytest.raises(StoreTrouble, match=f"403.*cannot get resource.*{namespace}"):
            store.read()
        store.close()


def edited(store: SQLiteStore, statement: str, *values: str) -> list[Any]:
    """Carry out a statement as an operator would who edits the file by hand."""
    with closing(sqlite3.connect(store.path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


class TestFile:
    """Trouble that only a file can have."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteStore:
        return SQLiteStore(str(tmp_path / "pool.db"), "clusters")

    def test_a_deleted_file_is_missing_until_it_is_restored(
        self, add: Add, client: FlaskClient, store: SQLiteStore, repository: ConfigMapRepository
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

    @pytest.mark.parametrize("body", ["hello", "[]", "{}", "[" * 9000])
    def test_an_unreadable_row_is_reported_until_it_is_restored(
        self, add: Add, client: FlaskClient, store: SQLiteStore, repository: ConfigMapRepository, body: str
    ) -> None:
        add("cluster-01")
        good = edited(store, "SELECT body FROM objects")[0][0]
        edited(store, "UPDATE objects SET version = version + 1, body = ?", body)
        until(lambda: repository.trouble)
        answer = take(client)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_unreadable")
        assert "restore the file" in client.get("/readyz").get_json()["store"]
        assert client.get("/clusters/cluster-01").status_code == 200
        edited(store, "UPDATE objects SET version = version + 1, body = ?", good)
        until(lambda: repository.trouble is None)
        assert take(client).text == "cluster-01"

    def test_a_deleted_row_is_missing_at_the_first_change(
        self, add: Add, client: FlaskClient, store: SQLiteStore
    ) -> None:
        add("cluster-01")
        edited(store, "DELETE FROM objects")
        answer = take(client)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_missing")
        assert "restore the file" in answer.text

    def test_a_file_that_is_no_database_stops_the_start(self, tmp_path: Path) -> None:
        other = tmp_path / "notes.txt"
        other.write_text("not a database, but long enough to have a header " * 9)
        with pytest.raises(BadSetting, match="no usable SQLite database"):
            check_access(Settings(store=f"sqlite:{other}"))

    def test_two_processes_see_each_others_changes(
        self, add: Add, client: FlaskClient, store: SQLiteStore, repository: ConfigMapRepository
    ) -> None:
        add("cluster-01")
        other = SQLiteStore(str(store.path), "clusters")
        stored = other.read()
        records = json.loads(stored.data["cluster.json"])
        records[0]["note"] = "from elsewhere"
        other.replace(stored.replaced({**stored.data, "cluster.json": json.dumps(records)}, stored.annotations))
        until(lambda: "from elsewhere" in client.get("/clusters/cluster-01").text)
        other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
class TestDisk:
    """A file system that is full or read-only."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
        if mounted.returncode:
            pytest.skip(f"this machine may not mount: {mounted.stderr.decode()}")
        yield disk
        subprocess.run(["umount", "-l", disk], check=True)

    @pytest.fixture
    def store(self, disk: Path) -> SQLiteStore:
        return SQLiteStore(str(disk / "pool.db"), "clusters")

    def test_writes_resume_when_a_full_disk_has_room_again(self, add: Add, client: FlaskClient, disk: Path) -> None:
        add("cluster-01", "cluster-02")
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096) == 4096:
                pass
        answer = take_until(client, 503)
        assert answer.headers["CIMaster-Code"] == "store_unavailable"
        assert "full" in answer.text
        assert str(disk) in answer.text
        assert "cluster-01" in client.get("/clusters").text
        (disk / "filler").unlink()
        assert take_until(client, 404).headers["CIMaster-Code"] == "no_vacant_cluster"

    @pytest.mark.slow
    def test_a_start_on_a_read_only_file_recovers(self, settings: Settings, disk: Path) -> None:
        SQLiteStore(str(disk / "pool.db"), "clusters").close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        app = create_app(settings, SQLiteStore(str(disk / "pool.db"), "clusters"))
        lifecycle = components_of(app).lifecycle
        lifecycle.start()
        client = app.test_client()
        until(lambda: client.get("/readyz").status_code == 200)
        answer = take(client)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "store_unavailable")
        assert str(disk) in answer.text
        assert str(disk) in client.get("/readyz").get_json()["store"]
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert take_until(client, 404).headers["CIMaster-Code"] == "no_such_cluster_kind"
        lifecycle.stop()


def take_until(client: FlaskClient, status: int) -> TestResponse:
    """Take clusters until the answer has this status; the write-ahead log may have some room at first."""
    while (answer := take(client)).status_code != status:
        pass
    return answer


def test_one_change_that_cannot_be_stored_fails_alone(add: Add, app: Flask, client: FlaskClient, store: Store) -> None:
    add("cluster-01", "cluster-02")
    records = store.read().data["cluster.json"]
    filler = "x" * (OBJECT_LIMIT - len(records) - 400)  # room for a lease, but not for a note
    write_by_hand(store, {"cluster.json": records, "other": filler})
    answers: dict[str, TestResponse] = {}
    note = {"cluster": "cluster-02", "name": ADMIN, "note": "n" * 500}
    requests = {
        "update": lambda: app.test_client().post("/updatecluster", data=note),
        "take": lambda: app.test_client().get("/getvacant?job=e2e&build=1"),
    }
    callers = [threading.Thread(target=lambda key=key: answers.update({key: requests[key]()})) for key in requests]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (answers["take"].status_code, answers["take"].text) == (200, "cluster-01")
    assert (answers["update"].status_code, answers["update"].headers["CIMaster-Code"]) == (422, "pool_full")
    assert store.read().data["other"] == filler
