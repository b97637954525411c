"""Data edited by hand: readable values count, others are kept unchanged and reported."""

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.common.times import format_time
from cimaster.pool import Answer
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Conflict, Store
from cimaster.services.clusters import Clusters
from tests.conftest import MovableClock

JSON = {"Accept": "application/json"}


@pytest.fixture
def stored(repository: ConfigMapRepository, store: Store) -> Callable[..., None]:
    """Store records by hand: `stored({"name": ...}, "raw text", queue=..)`, with the content of other keys."""

    def stored(*records: object, **others: str) -> None:
        texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
        data = {"cluster.json": f"[{', '.join(texts)}]", **{f"{key}.json": text for key, text in others.items()}}
        while True:
            with contextlib.suppress(Conflict):
                found = store.read()
                store.replace(found.replaced(data, found.annotations))
                break
        repository.fresh()
        repository.update(lambda pool, _now: (pool, Answer("")))  # every change first applies what has expired

    return stored


def whole(name: str = "c-1", **fields: object) -> dict[str, object]:
    """Return a valid record with the changes of a test."""
    return {"name": name, "status": "finished", **fields}


def show(client: FlaskClient, name: str = "c-1") -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def in_hours(clock: MovableClock, hours: float) -> str:
    """Write a time some hours from now."""
    return format_time(clock() + timedelta(hours=hours))


def test_the_end_of_a_hold_that_was_written_by_hand_is_kept_and_counts(
    client: FlaskClient, stored: Callable[..., None], clock: MovableClock, service: Clusters
) -> None:
    end = in_hours(clock, 30)
    stored(whole(hold=True, holdBy="al", holdExpires=end))
    assert client.get("/holdcluster?cluster=c-1&name=al").status_code == 200
    assert show(client)["holdExpires"] == end
    assert show(client)["heldAt"]
    clock.forward(hours=29)
    assert not service.expire()
    clock.forward(hours=1, seconds=1)
    service.expire()  # unless the reaper has just done that
    assert show(client)["state"] == "vacant"


def test_the_end_of_a_lease_that_was_written_by_hand_is_kept_and_counts(
    client: FlaskClient, stored: Callable[..., None], clock: MovableClock, service: Clusters
) -> None:
    end = in_hours(clock, 2)
    stored(whole(status="testing", lastJob="e2e", lastBuild="7", leaseExpires=end))
    shown = show(client)
    assert (shown["leaseExpires"], shown["leaseJob"], shown["leaseBuild"]) == (end, "e2e", "7")
    assert shown["acquiredAt"]
    clock.forward(hours=2, seconds=1)
    service.expire()  # unless the reaper has just done that
    assert show(client)["endedLeases"][0]["how"] == "expired"


@pytest.mark.parametrize("end", ["30.11.2026", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 5, {"at": "noon"}, True])
def test_an_unreadable_end_is_kept_reported_and_counts_as_none(
    client: FlaskClient, stored: Callable[..., None], clock: MovableClock, caplog: pytest.LogCaptureFixture, end: object
) -> None:
    stored(
        whole("c-1", hold=True, holdBy="al", holdExpires=end),
        whole("c-2", status="testing", lastJob="e2e", lastBuild="7", leaseExpires=end),
    )
    clock.forward(days=300)
    client.get("/getvacant?job=x&build=1")
    assert (show(client, "c-1")["state"], show(client, "c-2")["state"]) == ("held", "occupied")
    assert (show(client, "c-1")["holdExpires"], show(client, "c-2")["leaseExpires"]) == (end, end)
    for shown in (client.get("/clusters").text, client.get("/").text, "\n".join(caplog.messages)):
        assert "holdExpires cannot be read" in shown
        assert "leaseExpires cannot be read" in shown
    assert client.get("/releasecluster?cluster=c-1&name=al").status_code == 200
    assert client.get("/finishtest?cluster=c-2&job=e2e&build=7").status_code == 200
    assert "cannot be read" not in client.get("/clusters").text


@pytest.mark.parametrize("status", ["finished", "testing"])
def test_a_holder_gives_a_hold_without_a_readable_end_a_new_one(
    client: FlaskClient, stored: Callable[..., None], clock: MovableClock, status: str
) -> None:
    stored(whole(status=status, hold=True, holdBy="al", holdExpires="30.11.2026", holdFor="soon"))
    assert client.get("/holdcluster?cluster=c-1&name=al&duration=2h").status_code == 200
    client.get("/finishtest?cluster=c-1")
    assert "cannot be read" not in client.get("/clusters/c-1").text
    clock.forward(hours=2, seconds=1)
    assert client.get("/getvacant?job=x&build=2").text == "c-1"


@pytest.mark.parametrize("span", ["99999999d", "999999999d", "36501d", "soon", 5])
def test_a_hold_behind_a_job_of_a_length_that_cannot_be_read_has_no_end(
    client: FlaskClient, stored: Callable[..., None], clock: MovableClock, span: int | str
) -> None:
    stored(whole(status="testing", lastJob="e2e", lastBuild="7", hold=True, holdBy="al", holdFor=span), whole("c-2"))
    assert client.get("/getvacant?job=x&build=1").text == "c-2"
    assert client.get("/finishtest?cluster=c-1&job=e2e&build=7").status_code == 200
    clock.forward(days=300)
    assert client.get("/finishtest?cluster=c-2").status_code == 200
    assert (show(client)["state"], show(client)["holdFor"]) == ("held", span)
    assert "holdFor cannot be read" in client.get("/clusters").text
    assert client.get("/releasecluster?cluster=c-1&name=al").status_code == 200


ODD_NEIGHBOURS = {
    "creations": '[{"id": "c-9", "state": "requested", "deadline": "9999-12-31T23:59:59Z", "nextTry": 7}]',
    "policies": '[{"purpose": "tess-ci", "minVacant": true, "maxTotal": 1e400, "cooldown": "99999999d"}]',
    "queue": '[{"id": "r-9", "here": "9999-12-31T23:59:59Z", "keeps": "99999999d"}, 7]',
    "history": '[{"at": "9999-12-31T23:59:59Z", "cluster": []}, null]',
    "requests": '[{"id": "r-8", "at": "0001-01-01T00:00:00Z", "lease": "x\\r\\nY: 1"}, "x"]',
}


def test_no_malformed_record_of_any_kind_stops_a_write(
    client: FlaskClient, stored: Callable[..., None], service: Clusters, clock: MovableClock
) -> None:
    odd = whole("odd", hold=True, holdBy="al", holdFor="99999999d", vacantSince="9999-12-31T23:59:59Z")
    deep = '{"name": "deep", "status": "finished", "x": ' + "[" * 5000 + "]" * 5000 + "}"
    long = '{"name": "long", "status": "finished", "purpose": "x", "x": ' + "9" * 5000 + "}"
    stored(odd, deep, long, whole("c-2"), **ODD_NEIGHBOURS)
    assert client.get("/getvacant?job=e2e&build=1").text == "c-2"
    assert client.get("/finishtest?cluster=c-2&job=e2e&build=1").status_code == 200
    service.expire()
    lists = {path: client.get(path).text for path in ("/clusters", "/creations", "/policies", "/queue", "/history")}
    assert "nested too deeply" in lists["/clusters"]
    assert '"state": "vacant"' in client.get("/clusters/long", headers=JSON).text
    assert "deadline cannot be read" in lists["/creations"]
    assert "broken: 'minVacant' is not a number of clusters" in lists["/policies"]
    for path in ("/queue", "/history"):
        assert "broken" in lists[path]
        assert client.get(path, headers=JSON).status_code == 200
    for page in ("/", "/ui/admin", "/ui/queue", "/ui/creations"):
        assert client.get(page).status_code == 200


NAMES = ["a\r\nb", "a\nb", "a\tb", "a\x00b", "\x1b[2J", "a\x7fb", "a\x85b", "a\u2028b", "a\ud800b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_control_characters_is_never_lent_or_printed(
    client: FlaskClient, stored: Callable[..., None], name: str
) -> None:
    stored(whole(name), whole("c-2"))
    assert client.get("/getvacant?job=e2e&build=1").text == "c-2"
    assert client.get("/getvacant?job=e2e&build=2").status_code == 404
    _, line, _ = client.get("/clusters").text.splitlines()
    assert line.split()[1] == "broken"
    assert "'name' has" in line
    assert line.isprintable()


@pytest.mark.parametrize("identity", ["x\r\nY: 1", "x y", "\u202e", "é", "", "x" * 500, 5, None])
def test_malformed_ids_count_as_none(client: FlaskClient, stored: Callable[..., None], identity: object) -> None:
    stored(
        whole(
            status="testing",
            lastJob="e2e",
            lastBuild="7",
            leaseJob="e2e",
            leaseBuild="7",
            leaseId=identity,
            requestId=identity,
            acquiredAt="2026-01-02T03:04:05Z",
        ),
        requests=json.dumps([{"id": "r-1", "verb": "finishtest", "lease": identity, "say": "it is finished"}]),
    )
    answer = client.get("/finishtest?cluster=c-1&job=e2e&build=7")
    assert (answer.status_code, answer.text) == (200, "cluster c-1 is finished\n")
    assert "CIMaster-Lease" not in answer.headers


def test_of_two_identical_broken_records_only_one_is_deleted(client: FlaskClient, stored: Callable[..., None]) -> None:
    for note in ("one", "two"):  # read twice: the second time they are cached
        stored("7", "7", "7", whole("c-1", note=note), '{"name": "x"}', '{"name": "x"}')
    lines = client.get("/clusters").text.splitlines()[1:]
    names = [line.split()[0] for line in lines]
    assert len(set(names)) == len(names) == 6
    assert client.get("/deletecluster", query_string={"cluster": names[1], "name": "root"}).status_code == 200
    remaining = client.get("/clusters").text.splitlines()[1:]
    assert [line.split()[0] for line in remaining[:2]] == names[:2]  # the next record moved up, and has the same bytes
    assert len(remaining) == 5
    assert client.get("/").text.count('data-state="broken"') == 4


def test_lists_show_no_invisible_or_direction_characters(client: FlaskClient, stored: Callable[..., None]) -> None:
    hidden = "a\u202eb\u200dc\u2060d\u00ade\u3164f\u2066g\ufeffh"
    stored(
        whole(region=hidden, hold=True, holdBy=hidden, holdDesc="x" + "\u0301" * 499),
        history=json.dumps([{"cluster": "c-1", "event": hidden, "by": hidden, "reason": "r\u2029s"}]),
        creations=json.dumps([{"id": "c-1", "state": "failed", "user": hidden, "reason": hidden}]),
        policies=json.dumps([{"purpose": hidden, "minVacant": 1, "maxTotal": 2, "job": hidden}]),
        queue=json.dumps([{"id": "r-1", "here": "2099-01-01T00:00:00Z", "ask": {"job": hidden, "by": hidden}}]),
    )
    for path in ("/clusters", "/clusters/c-1", "/history", "/creations", "/policies", "/queue"):
        lines = client.get(path).text.splitlines()
        assert all(line.isprintable() and "\u3164" not in line for line in lines), path
        assert max(line.count("\u0301") for line in lines) <= 4
