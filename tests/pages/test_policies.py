"""Automatic top-up on pages: the status of each policy, and the admins' forms."""

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.command import Settings as Command
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.settings import Settings
from tests.conditions import until
from tests.conftest import ADMIN, Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, follow, text
from tests.pages.test_creations import panel

DIALOG = {**HTMX, "HX-Target": "div#dialog-content", "HX-Current-URL": "http://localhost/ui/admin"}
TERMS = {
    "min_vacant": "2",
    "max_total": "5",
    "max_creating": "1",
    "cooldown": "5m",
    "hours": "",
    "branch": "",
    "job": "",
}
FRAGMENT = "/ui/fragments/policies"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with which policies are applied."""
    return dataclasses.replace(settings, manage_cluster=True, default_prow_job="usual-job")


@pytest.fixture
def provisioner(tmp_path: Path) -> Provisioner:
    """A program that creates nothing, and prints the reason."""
    program = tmp_path / "create"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no <quota> left')\n")
    program.chmod(0o755)
    return Provisioner("command", KINDS["command"], Command(program=(str(program),)))


def send(browser: FlaskClient, verb: str, headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
    """Send a form with its defaults, except for some fields."""
    data = {"purpose": "tess-ci", "back": "/ui/admin", **(TERMS if verb != "removepolicy" else {}), **fields}
    return browser.post(f"/ui/admin/{verb}", data=data, headers=headers or {})


def edit(browser: FlaskClient, **fields: Any) -> TestResponse:
    """Send the form of a policy with the terms TERMS, some of them changed."""
    known: dict[str, Any] = {f"was_{name}": was for name, was in TERMS.items()}
    return send(browser, "editpolicy", **{**known, **fields})


def policies(client: FlaskClient) -> list[dict[str, object]]:
    """Return what the API lists."""
    found: list[dict[str, object]] = client.get("/policies", headers={"Accept": "application/json"}).get_json()[
        "policies"
    ]
    return found


def test_without_policies_the_inventory_explains_them(root: FlaskClient) -> None:
    assert "No policies yet. A policy creates clusters when too few" in text(root.get("/ui/admin"))
    assert "Being created" not in text(root.get("/"))


def test_an_admin_adds_a_policy(root: FlaskClient) -> None:
    assert 'name="cooldown" value="5m"' in root.get("/ui/admin/addpolicy").text
    answer = send(
        root, "addpolicy", hours="Mon-Fri 00:00-24:00, Sat-Sun 00:00-24:00", branch="release-1.32", min_vacant="0"
    )
    page = follow(root, answer)
    assert "policy tess-ci: keeps 0 vacant, at most 5 clusters in total" in text(page)
    assert "tess-ci 0 vacant vacant 0 maximum 5 parallel creations 1 cooldown 5m" in text(page)
    assert "Mon-Fri 00:00-24:00, Sat-Sun 00:00-24:00 UTC usual-job release-1.32" in text(page)
    assert policies(root)[0]["branch"] == "release-1.32"


def test_the_status_of_a_policy_is_on_the_dashboard_too(root: FlaskClient, alice: FlaskClient) -> None:
    send(root, "addpolicy")
    until(lambda: "next try in" in panel(alice.get("/")))
    page = alice.get("/")
    assert "tess-ci: 0 of 2 vacant · next try in" in panel(page)
    assert "(the last one failed:" in panel(page)
    assert "no &lt;quota&gt; left" in page.text
    assert "tess-ci policy failed" in panel(page)
    assert "/ui/admin/editpolicy" not in page.text
    assert "/ui/admin/editpolicy" in root.get("/").text


def test_hours_without_top_up_are_shown(root: FlaskClient, clock: MovableClock) -> None:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    other = days[(clock().weekday() + 3) % 7]
    send(root, "addpolicy", hours=f"{other} 10:00-11:00")
    sentence = f"tess-ci: 0 of 2 vacant (only active {other} 10:00-11:00 UTC)"
    assert sentence in panel(root.get("/"))
    assert "No clusters are being created." in panel(root.get("/"))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("hours", "Mon-Fri 19-20", "expected days and hours, such as Mon-Fri 07:00-19:00 or Mon-Fri 22:00-06:00"),
        ("hours", "Mon 20:00-06:00 MEZ", "expected a time zone such as Europe/Berlin in place of MEZ"),
        ("cooldown", "5", "expected a duration from 1s to 1d"),
        ("cooldown", "", "cooldown is required"),
        ("min_vacant", "many", "expected a number from 0 to 1000"),
        ("min_vacant", "", "min_vacant is required"),
        ("max_creating", "0", "expected a number from 1 to"),
        ("max_total", "1", "give a max_total of at least"),
        ("purpose", "<b>", "expected 1 to 100 letters"),
        ("job", "a b", "expected the name of a job"),
    ],
)
def test_a_refused_value_is_shown_at_its_field(root: FlaskClient, field: str, value: str, sentence: str) -> None:
    changed: dict[str, Any] = {"branch": "kept", field: value}
    answer = send(root, "addpolicy", **changed)
    assert answer.status_code == 400
    assert sentence in text(answer)
    assert re.search(rf'id="form-{field}"[^>]*aria-describedby="form-alert[^>]*aria-invalid="true"', answer.text)
    assert 'value="kept"' in answer.text
    assert policies(root) == []


def test_an_existing_policy_is_not_replaced_by_a_new_one(root: FlaskClient) -> None:
    send(root, "addpolicy", min_vacant="0")
    answer = send(root, "addpolicy", min_vacant="1")
    assert "purpose tess-ci already has a policy" in text(answer)
    assert policies(root)[0]["minVacant"] == 0


def test_terms_are_changed_and_removed(root: FlaskClient) -> None:
    send(root, "addpolicy", hours="Mon 10:00-11:00", job="special", min_vacant="0")
    form = root.get("/ui/admin/editpolicy?purpose=tess-ci").text
    assert 'name="hours" value="Mon 10:00-11:00"' in form
    assert 'type="hidden" name="was_job" value="special"' in form
    answer = edit(root, was_hours="Mon 10:00-11:00", was_job="special", min_vacant="0", max_total="7")
    page = follow(root, answer)
    assert "policy tess-ci: keeps 0 vacant, at most 7 clusters in total" in text(page)
    assert "always usual-job master" in text(page)
    assert {"hours", "job"} & set(policies(root)[0]) == set()


def test_a_concurrent_change_by_another_person_is_kept(root: FlaskClient, person: SignIn) -> None:
    send(root, "addpolicy")
    edit(person("Bob"), max_total="9")
    edit(root, cooldown="10m")
    assert (policies(root)[0]["maxTotal"], policies(root)[0]["cooldown"]) == (9, "10m")


def test_an_edit_that_changes_nothing_writes_nothing(root: FlaskClient, repository: ConfigMapRepository) -> None:
    send(root, "addpolicy", min_vacant="0")
    before = repository.fresh().version
    page = follow(root, edit(root, was_min_vacant="0", min_vacant="0"))
    assert "policy tess-ci is unchanged" in text(page)
    assert repository.fresh().version == before


def test_a_policy_that_was_removed_meanwhile_does_not_come_back(root: FlaskClient) -> None:
    send(root, "addpolicy")
    send(root, "removepolicy")
    for answer in (edit(root, max_total="9"), send(root, "removepolicy")):
        assert answer.status_code == 404
        assert "there is no policy for purpose tess-ci" in text(answer)
    assert root.get("/ui/admin/editpolicy?purpose=tess-ci").status_code == 404
    assert policies(root) == []


def test_remove_asks_for_confirmation_and_removes_the_policy(root: FlaskClient) -> None:
    send(root, "addpolicy")
    assert "No more clusters will be created automatically" in text(root.get("/ui/admin/removepolicy?purpose=tess-ci"))
    page = follow(root, send(root, "removepolicy"))
    assert "policy tess-ci is removed" in text(page)
    assert policies(root) == []


@pytest.mark.parametrize("verb", ["addpolicy", "editpolicy", "removepolicy"])
def test_a_person_without_the_admin_role_is_refused(root: FlaskClient, alice: FlaskClient, verb: str) -> None:
    send(root, "addpolicy", min_vacant="0")
    before = policies(root)
    page = alice.get("/ui/admin").text
    assert f'action="/ui/admin/{verb}"' not in page
    assert 'href="/ui/admin/addpolicy"' not in page
    answer = send(alice, verb, purpose="other" if verb == "addpolicy" else "tess-ci", max_total="9")
    assert answer.status_code == 403
    assert "user alice is not authorized: only admins can do this" in text(answer)
    assert policies(root) == before


@pytest.mark.parametrize("verb", ["addpolicy", "editpolicy", "removepolicy"])
def test_pages_of_other_sites_may_not_send_it(root: FlaskClient, verb: str) -> None:
    answer = send(root, verb, headers={"Origin": "http://evil.example.com"})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert policies(root) == []


def test_the_answer_to_the_dialog_is_the_element_of_its_page(root: FlaskClient) -> None:
    answer = send(root, "addpolicy", DIALOG)
    assert 'hx-target="#policies"' in answer.text
    on_first_page = {**DIALOG, "HX-Current-URL": "http://localhost/"}
    fields = {f"was_{name}": was for name, was in TERMS.items()}
    answer = send(root, "editpolicy", on_first_page, back="/", max_total="9", **fields)
    assert 'hx-target="#creations"' in answer.text


def test_polls_are_304_until_the_status_of_the_policy_changes(add: Add, root: FlaskClient) -> None:
    add("other-01", purpose="other")
    send(root, "addpolicy", min_vacant="0")
    tag = root.get(FRAGMENT, headers=HTMX).headers["HX-PTag"]
    assert f'hx-ptag="{tag}"' in root.get("/ui/admin").text
    root.get("/getvacant?build=1&job=e2e&purpose=other")
    again = root.get(FRAGMENT, headers={**HTMX, "HX-PTag": tag})
    assert (again.status_code, again.data) == (304, b"")
    add("cluster-01")
    changed = root.get(FRAGMENT, headers={**HTMX, "HX-PTag": tag})
    assert (changed.status_code, "1 vacant" in text(changed)) == (200, True)


class TestSwitchedOff:
    """The operator has not enabled policies."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """The default settings."""
        return dataclasses.replace(settings, manage_cluster=False)

    def test_the_pages_say_that_policies_are_not_applied(self, root: FlaskClient) -> None:
        send(root, "addpolicy")
        sentence = "Automatic top-up is off: an operator must set CIMASTER_MANAGE_CLUSTER=on"
        assert sentence in text(root.get("/ui/admin"))
        page = panel(root.get("/"))
        assert "tess-ci: 0 of 2 vacant Edit" in page
        assert "Automatic top-up is off: an operator must set CIMASTER_MANAGE_CLUSTER=on" in page


class TestWithoutAProvisioner:
    """No provisioner is configured."""

    @pytest.fixture
    def provisioner(self) -> None:
        """No provisioner."""
        return

    def test_the_pages_say_that_policies_are_not_applied(self, root: FlaskClient) -> None:
        root.post("/setpolicy", data={"purpose": "tess-ci", "name": ADMIN, "min_vacant": "1", "max_total": "2"})
        sentence = "Automatic top-up is off: no provisioner is configured: an operator must set CIM"
        assert sentence in text(root.get("/ui/admin"))
