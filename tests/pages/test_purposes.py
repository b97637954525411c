"""How clusters are checked and cleaned, on the inventory page: a table for all visitors, a form for admins."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cimaster.settings import Settings
from tests.conftest import Add
from tests.pages.conftest import HTMX, WriteKey, follow, text

CHECKS = """
[ping]
kind = command
program = /bin/true
[wipe]
kind = command
program = /bin/true
"""
EMPTY = {"was_check": "", "was_every": "10m", "was_clean": "", "was_after_expiry": ""}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with two checks that the operator has defined."""
    path = tmp_path / "checks.ini"
    path.write_text(CHECKS)
    return replace(settings, checks_file=str(path))


def edit(browser: FlaskClient, **fields: str) -> int:
    """Send the form for tess-ci as it was opened without rules, and return the status of the answer."""
    return browser.post("/ui/admin/editpurpose", data={"purpose": "tess-ci", **EMPTY, **fields}).status_code


def shown(browser: FlaskClient) -> str:
    """Return what a reader sees of the table."""
    return text(browser.get("/ui/admin")).partition("Checks and cleaning")[2].partition("Automatic top-up")[0]


def test_an_admin_chooses_checks_and_cleaning(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01")
    assert "tess-ci check: none clean: none when a lease runs out: same as after a finish" in shown(alice)
    form = root.get("/ui/admin/editpurpose?purpose=tess-ci").text
    assert re.findall('<option value="(ping|wipe)">', form) == ["ping", "wipe"] * 2
    assert '<option value="quarantine">quarantined</option>' in form
    fields = {"check": "ping", "every": "5m", "clean": "wipe", "after_expiry": "quarantine"}
    answer = root.post("/ui/admin/editpurpose", data={"purpose": "tess-ci", **EMPTY, **fields})
    page = text(follow(root, answer))
    assert "tess-ci clusters: checked by ping every 5m, cleaned by wipe after each use, quarantined after" in page
    assert "check: ping, every 5m clean: wipe when a lease runs out: quarantined" in shown(alice)


def test_only_what_was_changed_is_written(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    assert edit(root, check="ping", every="10m") == 303
    assert edit(root, every="10m", clean="wipe") == 303  # from a form that was opened before the check was set
    assert "check: ping, every 10m clean: wipe" in shown(root)
    assert edit(root, was_check="ping", check="", every="10m", was_clean="wipe", clean="wipe") == 303
    assert "check: none clean: wipe" in shown(root)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"check": "pong"}, "check is pong: expected ping, wipe, none"),
        ({"clean": "Wipe it"}, "the name of a check, or none"),
        ({"every": "5"}, "every is '5'"),
        ({"after_expiry": "clean"}, "tess-ci clusters are not cleaned: send clean too"),
    ],
)
def test_a_refused_rule_comes_back_with_the_reason(
    add: Add, root: FlaskClient, fields: dict[str, str], sentence: str
) -> None:
    add("cluster-01")
    answer = root.post("/ui/admin/editpurpose", data={"purpose": "tess-ci", **EMPTY, **fields})
    assert answer.status_code == 400
    assert sentence in text(answer)


def test_others_cannot_edit_and_the_button_says_why(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    assert "Edit tess-ci only admins can do this" in shown(alice)
    assert edit(alice, check="ping") == 403
    assert "check: none" in shown(alice)


def test_broken_rules_are_shown_and_replaced(add: Add, rewritten: WriteKey, root: FlaskClient) -> None:
    add("cluster-01")
    rewritten("purposes.json", lambda _: '[{"purpose": "tess-ci", "afterExpiry": "explode"}]')
    assert "The stored rules are broken and have no effect" in shown(root)
    assert "broken: 'afterExpiry' is none of vacant, clean, quarantine" in root.get("/purposes").text
    listed = root.get("/purposes", headers={"Accept": "application/json"}).get_json()["purposes"]
    assert [rules.get("fault", "") for rules in listed] == ["", "'afterExpiry' is none of vacant, clean, quarantine"]
    assert edit(root, check="ping") == 303
    assert "check: ping, every 10m" in shown(root)


def test_broken_rules_beside_good_ones_do_not_hide_them(add: Add, rewritten: WriteKey, root: FlaskClient) -> None:
    add("cluster-01")
    broken, good = '{"purpose": "tess-ci", "afterExpiry": "explode"}', '{"purpose": "tess-ci", "check": "ping"}'
    rewritten("purposes.json", lambda _: f"[{broken},\n{good}]")
    assert "check: ping, every 10m" in shown(root)
    assert "have no effect" not in shown(root)


def test_the_table_polls_with_a_tag(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    tag = re.findall(r'<div id="purposes" .*?hx-ptag="([^"]+)"', root.get("/ui/admin").text)[0]
    poll = {**HTMX, "HX-PTag": tag}
    assert root.get("/ui/fragments/purposes", headers=poll).status_code == 304
    edit(root, check="ping")
    assert root.get("/ui/fragments/purposes", headers=poll).status_code == 200
