"""The data of the first service: lent and held without a migration; unknown content keeps its exact bytes."""

import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from cimaster.pool.records import json_edit
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.clusters import Clusters
from cimaster.services.import_export import importing
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings
from tests.conftest import MovableClock

JSON = {"Accept": "application/json"}
PLAIN = (
    '"lastJob": "", "lastBuild": "", "lastTriggerName": "", "hold": false, "disabled": false, "purpose": "tess-ci",'
    ' "osimage": "centos-atomic-7.6.1810-qcow2"'
)
ODD = r"""  {"name":"odd-01" , "status" :"finished","region":"us-west",
      "rack": {"row": 7, "height": 1.10, "depth": 1e400 , "units": [1, 2,  3]},
	"serial": 12345678901234567890123, "note": "caf\u00e9 ☕ \ud83d\ude00", "half": "\ud800",
      "hold" : false, "lastTriggerName": "Jos\u00e9", "purpose": "odd", "twice": 1, "twice": 2, "no": {} }""".lstrip()
OLD_LEASE = (
    '{"name": "lease-01", "region": "us-west", "status": "testing", "lastJob": "e2e-conformance",'
    ' "lastBuild": "12345", "lastTriggerName": "john", "hold": false, "disabled": false, "purpose": "old", "x": 1.10}'
)
BARE_LEASE = '{"name": "lease-02", "status": "testing", "purpose": "old"}'
BARE_HOLD = '{"name": "hold-01", "status": "finished", "hold": true, "purpose": "old", "x":   1.10}'
HELD_LEASE = '{"name": "hold-02", "status": "testing", "lastJob": "e2e", "lastBuild": "7", "hold": true, "purpose":"a"}'
NO_PURPOSE = '{"name": "bare-01", "status": "finished"}'
DISABLED = '{"name": "off-01", "status": "finished", "disabled": true, "hold": null, "region": null, "purpose": "old"}'
BROKEN = [
    '"just a text"',
    "42",
    "null",
    "[1, 2]",
    "{}",
    '{"name": "no-status"}',
    '{"status": "finished"}',
    '{"name": "", "status": "finished"}',
    '{"name": "bad-status", "status": "Finished"}',
    '{"name": "bad-flag", "status": "finished", "hold": "yes"}',
    '{"name": "bad-text", "status": "finished", "lastBuild": 12345}',
    '{"name": "twin", "status": "finished", "purpose": "old"}',
    '{"name": "twin", "status": "testing", "purpose": "old"}',
]
USUAL = [f'{{"name": "cluster-{n:02}", "region": "us-west", "status": "finished", {PLAIN}}}' for n in range(1, 6)]
RECORDS = [
    *USUAL[:3],
    ODD,
    OLD_LEASE,
    *BROKEN[:6],
    BARE_LEASE,
    BARE_HOLD,
    HELD_LEASE,
    *BROKEN[6:],
    NO_PURPOSE,
    DISABLED,
]
RECORDS += USUAL[3:]
TEXT = (
    " \n[\r\n"
    + RECORDS[0]
    + "".join(
        f"{gap}{record}" for gap, record in zip([",", ", ", ",\n\t", " ,", " \n,\n\n"] * 6, RECORDS[1:], strict=False)
    )
    + "\n\n]\n "
)


@pytest.fixture(autouse=True)
def pool(client: FlaskClient, repository: ConfigMapRepository, settings: Settings) -> None:
    """The first service's pool."""
    assert len(RECORDS) >= 25
    repository.update(importing(data_of(TEXT), settings, replace=False))


def stored(repository: ConfigMapRepository) -> str:
    """Return the array as the store has it now."""
    return repository.fresh().object.data["cluster.json"]


def texts(repository: ConfigMapRepository) -> list[str]:
    """Return the bytes of each record as the store has them now."""
    return [item.text for item in json_edit.parse_array(stored(repository)).items]


def changed(repository: ConfigMapRepository) -> set[str]:
    """Return the names of the records that have changed."""
    before, after = RECORDS, texts(repository)
    assert len(before) == len(after)
    assert [i.gap for i in json_edit.parse_array(stored(repository)).items] == [
        i.gap for i in json_edit.parse_array(TEXT).items
    ]
    return {json.loads(old)["name"] for old, new in zip(before, after, strict=True) if old != new}


TIMELESS = {"lease-01", "lease-02", "hold-01", "hold-02"}  # their times are written when we first see them


def of(name: str, repository: ConfigMapRepository) -> str:
    """Return the bytes of one record."""
    return next(text for text in texts(repository) if f'"{name}"' in text)


def show(client: FlaskClient, name: str) -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def test_reading_only_adds_missing_times(client: FlaskClient, repository: ConfigMapRepository) -> None:
    assert client.get("/clusters").status_code == 200
    assert client.get("/clusters", headers=JSON).status_code == 200
    assert changed(repository) <= TIMELESS


def test_json_answers_are_json_whatever_numbers_the_data_have(client: FlaskClient) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in ("/clusters", "/clusters/odd-01"):
        json.loads(client.get(path, headers=JSON).text, parse_constant=refuse)


def test_every_record_is_listed_and_broken_ones_say_what_is_wrong(client: FlaskClient) -> None:
    lines = client.get("/clusters").text.splitlines()[1:]
    assert len(lines) == len(RECORDS)
    broken = [line for line in lines if line.split()[1] == "broken"]
    assert len(broken) == len(BROKEN)
    assert all(line.startswith("#") for line in broken)
    text = "\n".join(broken)
    for reason in ("'name' is missing", "'status' is neither", "'hold' is neither", "another record has the same name"):
        assert reason in text


def test_a_record_that_is_not_an_object_is_reported(client: FlaskClient) -> None:
    assert client.get("/clusters").text.count("the record is not an object") == 4


def test_a_take_changes_one_record_and_adds_missing_times(client: FlaskClient, repository: ConfigMapRepository) -> None:
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"
    assert changed(repository) == {"cluster-01"} | TIMELESS
    assert stored(repository).startswith(" \n[\r\n")
    assert stored(repository).endswith("\n\n]\n ")


def test_take_finish_and_hold_keep_unknown_fields(client: FlaskClient, repository: ConfigMapRepository) -> None:
    assert client.get("/getvacant?build=1&job=a&purpose=odd").text == "odd-01"
    client.get("/finishtest?cluster=odd-01&job=a&build=1")
    client.get("/holdcluster?cluster=odd-01&name=alice&desc=look")
    client.get("/updatecluster?cluster=odd-01&name=root&osimage=flatcar")
    client.get("/releasecluster?cluster=odd-01&name=alice")
    assert changed(repository) == {"odd-01"} | TIMELESS
    text = of("odd-01", repository)
    for bytes_of_old in (
        '"rack": {"row": 7, "height": 1.10, "depth": 1e400 , "units": [1, 2,  3]}',
        '"serial": 12345678901234567890123',
        r'"note": "caf\u00e9 ☕ \ud83d\ude00"',
        r'"half": "\ud800"',
        '"name":"odd-01"',
        '"status" :"finished"',
        '"twice": 1, "twice": 2',
        '"no": {}',
        '"purpose": "odd"',
        '"region":"us-west"',
    ):
        assert bytes_of_old in text
    assert json.loads(text)["lastTriggerName"] == ""


def test_unchanged_records_keep_their_bytes_through_all_that_happens(
    client: FlaskClient, repository: ConfigMapRepository
) -> None:
    for build in range(1, 5):
        name = client.get(f"/getvacant?build={build}&job=a").text
        client.get(f"/holdcluster?cluster={name}&name=alice")
        client.get(f"/finishtest?cluster={name}&job=a&build={build}")
    assert changed(repository) == {"cluster-01", "cluster-02", "cluster-03", "bare-01"} | TIMELESS
    for name in ("cluster-04", "cluster-05", "off-01", "odd-01", "bad-text", "twin"):
        assert of(name, repository) in RECORDS


def test_adding_and_deleting_leave_the_others_alone(client: FlaskClient, repository: ConfigMapRepository) -> None:
    client.get("/addcluster?cluster=new-01&region=us-west&name=root")
    client.get("/deletecluster?cluster=cluster-01&name=root")
    unchanged = [text for text in texts(repository) if text in RECORDS]
    assert len(unchanged) == len(RECORDS) - 1 - len(TIMELESS)
    assert show(client, "new-01")["state"] == "vacant"


def test_a_record_without_a_purpose_serves_the_default(client: FlaskClient, repository: ConfigMapRepository) -> None:
    got = {client.get(f"/getvacant?build={build}&job=a").text for build in range(6)}
    assert "bare-01" in got
    assert '"name": "bare-01"' in of("bare-01", repository)


@pytest.mark.parametrize("parameters", ["&job=e2e-conformance&build=12345", ""])
def test_an_old_lease_is_ended_by_its_job_and_build_or_the_name_alone(
    client: FlaskClient, repository: ConfigMapRepository, parameters: str
) -> None:
    assert show(client, "lease-01")["state"] == "occupied"
    answer = client.get(f"/finishtest?cluster=lease-01{parameters}")
    assert (answer.status_code, answer.text) == (200, "cluster lease-01 is finished\n")
    assert show(client, "lease-01")["state"] == "vacant"
    assert '"x": 1.10' in of("lease-01", repository)
    assert "already finished" in client.get(f"/finishtest?cluster=lease-01{parameters}").text


def test_an_old_lease_is_not_ended_by_another_job(client: FlaskClient) -> None:
    for parameters in ("job=e2e-conformance&build=12346", "job=other", "lease=abc"):
        answer = client.get(f"/finishtest?cluster=lease-01&{parameters}")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "not_current")
    assert show(client, "lease-01")["state"] == "occupied"


def test_an_old_finish_of_a_cluster_that_is_finished_is_a_success(client: FlaskClient) -> None:
    assert client.get("/finishtest?cluster=cluster-01").status_code == 200


def test_an_old_lease_gets_the_time_of_our_first_sight_of_it(client: FlaskClient, clock: MovableClock) -> None:
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    seen = show(client, "lease-01")["acquiredAt"]
    clock.forward(hours=1)
    client.get("/holdcluster?cluster=cluster-02&name=alice")
    assert show(client, "lease-01")["acquiredAt"] == seen
    assert "leaseId" not in show(client, "lease-01")


def test_a_bare_hold_lasts_six_hours_from_our_first_sight_of_it(
    client: FlaskClient, repository: ConfigMapRepository, clock: MovableClock, service: Clusters
) -> None:
    client.get("/getvacant?build=1&job=a")
    assert {"heldAt", "holdExpires"} <= show(client, "hold-01").keys()
    clock.forward(hours=5)
    assert not service.expire()
    clock.forward(hours=1, seconds=2)
    service.expire()  # unless the reaper has just done that
    assert show(client, "hold-01")["state"] == "vacant"
    assert '"x":   1.10' in of("hold-01", repository)


def test_a_bare_hold_is_released_by_an_admin_and_the_refusal_says_so(client: FlaskClient) -> None:
    answer = client.get("/releasecluster?cluster=hold-01&name=alice")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_authorized")
    assert "held by an unknown user" in answer.text
    assert client.get("/releasecluster?cluster=hold-01&name=bob").status_code == 200


def test_a_bare_hold_on_an_old_lease_begins_when_that_is_finished(
    client: FlaskClient, clock: MovableClock, service: Clusters
) -> None:
    client.get("/getvacant?build=1&job=a")
    assert "holdExpires" not in show(client, "hold-02")
    clock.forward(days=2)
    assert "it is now held by an unknown user" in client.get("/finishtest?cluster=hold-02&job=e2e&build=7").text
    clock.forward(hours=6, seconds=2)
    service.expire()  # unless the reaper has just done that
    assert show(client, "hold-02")["state"] == "vacant"


def named(position: int) -> str:
    """Return how lists name a broken record of the first service's pool."""
    return f"#{position}.{hashlib.sha256(RECORDS[position].encode()).hexdigest()[:8]}"


def test_broken_records_are_never_lent_and_deleted_by_position_and_digest(
    client: FlaskClient, repository: ConfigMapRepository
) -> None:
    for name in ("bad-status", "twin"):
        answer = client.get(f"/getvacant?build=1&job=a&purpose=old&cluster={name}")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "cluster_broken")
        assert "an admin can delete it as #" in answer.text
    position = RECORDS.index('{"name": "twin", "status": "testing", "purpose": "old"}')
    alone = client.get("/deletecluster", query_string={"cluster": f"#{position}", "name": "root"})
    assert (alone.status_code, alone.headers["CIMaster-Code"]) == (409, "cluster_broken")
    assert f"name the record as {named(position)}" in alone.text
    sent = {"cluster": named(position), "name": "root"}
    assert client.get("/deletecluster", query_string=sent).status_code == 200
    assert client.get("/deletecluster", query_string=sent).status_code == 404  # nor is the record that is there now
    assert client.get("/getvacant?build=1&job=a&purpose=old").text == "twin"  # the other record has been repaired
    assert client.get("/clusters/%233").status_code == 404  # odd-01 is at that position, and it has a name


def test_one_broken_record_is_shown_by_position_with_its_reason(client: FlaskClient) -> None:
    position = RECORDS.index('{"name": "bad-status", "status": "Finished"}')
    assert client.get(f"/clusters/%23{position}").status_code == 409
    answer = client.get(f"/clusters/{quote(named(position))}")
    assert "'status' is neither 'finished' nor 'testing'" in answer.text
    assert show(client, quote(named(position)))["fault"].startswith("'status'")
    (line,) = (line for line in client.get("/clusters").text.splitlines() if line.startswith(named(position)))
    assert "its name is bad-status" in line


def test_clusters_with_odd_old_names_can_be_used(
    client: FlaskClient, repository: ConfigMapRepository, settings: Settings
) -> None:
    names = ["Cluster_01", "my cluster", "größe", "a/b", "x" * 200, "any name, really"]
    records = json.dumps([{"name": name, "status": "finished"} for name in names])
    repository.update(importing(data_of(records), settings, replace=True))
    assert [client.get(f"/getvacant?build={n}&job=a").text for n in range(6)] == names
    for name in names:
        sent = {"cluster": name, "name": "alice"}
        assert client.get("/holdcluster", query_string=sent).status_code == 200
        assert client.get("/finishtest", query_string={"cluster": name}).status_code == 200
        assert client.get("/releasecluster", query_string=sent).status_code == 200
        assert client.get(f"/clusters/{name}").status_code == 200


def test_each_line_of_a_list_stays_one_line_with_any_data(
    client: FlaskClient, repository: ConfigMapRepository, settings: Settings
) -> None:
    record = {"name": "a\nb", "status": "finished", "region": "x\ty", "note": "n\u2028m", "purpose": "p\x1b[2J"}
    repository.update(importing(data_of(json.dumps([record])), settings, replace=True))
    assert len(client.get("/clusters").text.splitlines()) == 2
    assert "\x1b" not in client.get("/clusters").text
