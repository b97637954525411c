"""Automatic top-up: set by admins, explained to all readers, carried out once over all replicas."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.provisioners import KINDS, Provisioner, command
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import ADMIN

JSON = {"Accept": "application/json"}
BUILDS = """echo '{"cluster": "'made-$CREATION'", "region": "us"}'; echo $CREATION_KEY >> %s"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings under which policies act."""
    return Settings(admin_dir=settings.admin_dir, store=settings.store, port=settings.port, manage_cluster=True)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A file to which the program writes the key of each cluster that it builds."""
    return tmp_path / "built"


@pytest.fixture
def provisioner(built: Path) -> Provisioner:
    """A program that builds a cluster immediately."""
    return Provisioner("command", KINDS["command"], command.Settings(program=("sh", "-c", BUILDS % built)))


@pytest.fixture
def replicas(app: Flask, settings: Settings, another_store: Store, provisioner: Provisioner) -> Iterator[list[Flask]]:
    """Two replicas over one store."""
    second = create_app(settings, another_store, provisioner=provisioner)
    components_of(second).lifecycle.start()
    yield [app, second]
    components_of(second).lifecycle.stop()


def set_policy(client: FlaskClient, **terms: object) -> TestResponse:
    """Set the policy of tess-ci as the admin."""
    return client.post("/setpolicy", data={"purpose": "tess-ci", "name": ADMIN, **terms})


def vacant(client: FlaskClient) -> int:
    """Return how many clusters are vacant."""
    return len(client.get("/clusters?state=vacant", headers=JSON).get_json()["clusters"])


def says(client: FlaskClient) -> str:
    """Return the status of the policies, in words."""
    return client.get("/policies").text


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


@pytest.mark.slow
def test_a_minimum_is_kept_vacant_and_each_cluster_built_once(replicas: list[Flask], built: Path) -> None:
    client = replicas[0].test_client()
    answer = set_policy(client, min_vacant=3, max_total=6, max_creating=2, cooldown="1s")
    terms = "keeps 3 vacant, at most 6 clusters in total, 2 created at a time, 1s between rounds"
    assert (answer.status_code, answer.text) == (200, f"policy tess-ci: {terms}\n")
    until(lambda: vacant(client) == 3)
    for build in range(3):
        assert client.get(f"/getvacant?job=a&build={build}").status_code == 200
    until(lambda: vacant(client) == 3)
    assert client.get("/getvacant?job=a&build=9").status_code == 200
    until(lambda: "(limit of 6 clusters reached)" in says(client))
    keys = built.read_text().split()
    assert len(keys) == len(set(keys)) == 6


def test_all_readers_see_the_status_of_a_policy(client: FlaskClient) -> None:
    assert says(client) == "no policy keeps clusters vacant: /setpolicy sets one\n"
    set_policy(client, min_vacant=1, max_total=1)
    set_policy(client, purpose="perf", min_vacant=0, max_total=1)
    until(lambda: "tess-ci: 1 of 1 vacant\n" in says(client))
    assert "perf: 0 vacant\n  keeps 0 vacant, at most 1 clusters in total" in says(client)
    assert client.get("/policies?purpose=none").text == "no policy is for none: /setpolicy sets one\n"
    (policy,) = client.get("/policies?purpose=perf", headers=JSON).get_json()["policies"]
    assert (policy["minVacant"], policy["maxTotal"], policy["says"]) == (0, 1, "perf: 0 vacant")


def test_a_failed_program_is_retried_after_a_pause_with_its_reason_shown(client: FlaskClient, app: Flask) -> None:
    components_of(app).provisioning.provisioner = Provisioner(
        "command", KINDS["command"], command.Settings(program=("sh", "-c", "echo no quota >&2; exit 1"))
    )
    set_policy(client, min_vacant=1, max_total=1, cooldown="10m")
    why = r"next try in (10|9) min \(the last one failed: sh ended with 1: no quota\)"
    until(lambda: re.search(why, says(client)))
    (failed,) = client.get("/creations", headers=JSON).get_json()["creations"]
    assert (failed["state"], failed["user"], failed["policy"]) == ("failed", "cimaster", True)


def test_omitted_terms_keep_their_values(client: FlaskClient) -> None:
    set_policy(client, min_vacant=0, max_total=5, hours="Mon-Fri 07:00-19:00", job="e2e", branch="dev")
    set_policy(client, max_total=4)
    (policy,) = client.get("/policies", headers=JSON).get_json()["policies"]
    assert (policy["maxTotal"], policy["hours"], policy["job"], policy["branch"]) == (
        4,
        "Mon-Fri 07:00-19:00",
        "e2e",
        "dev",
    )
    set_policy(client, hours="always")
    assert "hours" not in client.get("/policies", headers=JSON).get_json()["policies"][0]


def test_hours_have_a_time_zone_and_nights(client: FlaskClient) -> None:
    set_policy(client, min_vacant=9, max_total=9, hours="Mon-Fri 22:00-06:00, Sat 08:00-08:01 Europe/Berlin", job="e2e")
    (policy,) = client.get("/policies", headers=JSON).get_json()["policies"]
    assert policy["hours"] == "Mon-Fri 22:00-06:00, Sat 08:00-08:01 Europe/Berlin"
    answer = client.post("/setpolicy", data={"purpose": "tess-ci", "name": ADMIN, "hours": "Mon 07:00-08:00 MEZ"})
    assert answer.text == (
        "hours is 'Mon 07:00-08:00 MEZ': expected a time zone such as Europe/Berlin in place of MEZ, "
        "which is not known here\n"
    )


MAKE_NO_SENSE = [
    ("min_vacant", {"max_total": "1"}),
    ("min_vacant", {"min_vacant": "-1"}),
    ("min_vacant", {"min_vacant": "3.5"}),
    ("max_creating", {"max_creating": "0"}),
    ("cooldown", {"cooldown": "5"}),
    ("cooldown", {"cooldown": "2d"}),
    ("hours", {"hours": "nine to five"}),
    ("hours", {"hours": "Mon 07:00-08:00 Europe/Atlantis"}),
    ("max_total", {"min_vacant": "3", "max_total": "2"}),
    ("max_total", {"min_vacant": "3"}),
    ("job", {"job": "-x"}),
]


@pytest.mark.parametrize(("parameter", "terms"), MAKE_NO_SENSE)
def test_terms_that_make_no_sense_are_refused_by_name(
    client: FlaskClient, terms: dict[str, Any], parameter: str
) -> None:
    answer = client.post("/setpolicy", data={"purpose": "tess-ci", "name": ADMIN, **terms}, headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, parameter)
    assert client.get("/policies", headers=JSON).get_json()["policies"] == []


def test_only_admins_set_and_remove_policies(client: FlaskClient) -> None:
    assert refusal(set_policy(client, name="eve", min_vacant=1, max_total=1)) == (403, "not_authorized")
    set_policy(client, min_vacant=0, max_total=1)
    sent = {"purpose": "tess-ci", "name": "eve"}
    assert refusal(client.post("/removepolicy", data=sent)) == (403, "not_authorized")
    assert client.post("/removepolicy", data={**sent, "name": ADMIN}).text == "policy tess-ci is removed\n"
    assert refusal(client.post("/removepolicy", data={**sent, "name": ADMIN})) == (404, "unknown_policy")


class TestSwitchedOff:
    """Policies are stored but not applied until the operator enables them."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """The default settings, with top-up off."""
        return Settings(admin_dir=settings.admin_dir, store=settings.store, port=settings.port)

    def test_nothing_is_created(self, client: FlaskClient, app: Flask) -> None:
        set_policy(client, min_vacant=1, max_total=1)
        why = "it has no effect: an operator must set CIMASTER_MANAGE_CLUSTER=on"
        assert says(client).splitlines()[0] == f"tess-ci: 0 of 1 vacant ({why})"
        assert components_of(app).provisioning.top_up() == ()
        assert client.get("/creations", headers=JSON).get_json()["creations"] == []


class TestWithoutProvisioner:
    """Without a provisioner, refusals say so."""

    @pytest.fixture
    def provisioner(self) -> None:
        """Nothing."""

    def test_createcluster_says_what_an_operator_has_to_set(self, client: FlaskClient) -> None:
        answer = client.get("/createcluster?user=john&job=e2e")
        assert refusal(answer) == (501, "no_provisioner")
        assert "CIMASTER_PROW_URL" in answer.text
