"""Import and export of the inventory in the browser: what would change, and what is changed, as it was shown."""

import io
import json
import re
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.common.serving.request_arrival import BODY_LIMIT
from cimaster.repository.configmap_repository import ConfigMapRepository
from tests.conftest import Add
from tests.pages.conftest import WriteRecords, follow, hold, text
from tests.pages.test_hold import state
from tests.pages.test_selection import commits

FILE = """name,region,labels,note
cluster-01,us-west,gpu=yes,
cluster-02,us-east,,
new-01,eu,,fresh
"""


def preview(browser: FlaskClient, inventory: str, **fields: str) -> TestResponse:
    """Send the form with a pasted text."""
    return browser.post("/ui/admin/import", data={"text": inventory, **fields}, content_type="multipart/form-data")


def apply(browser: FlaskClient, shown: TestResponse) -> TestResponse:
    """Apply the plan that is shown."""
    form = shown.text.partition("applyimport")[2]
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    return browser.post("/ui/admin/applyimport", data=fields, content_type="multipart/form-data")


def upload(content: bytes, **fields: str) -> dict[str, Any]:
    return {"file": (io.BytesIO(content), "inventory.csv"), **fields}


def test_the_plan_is_shown_first_and_carried_out_as_it_was_shown(
    add: Add, root: FlaskClient, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    before = repository.fresh().version
    shown = preview(root, FILE)
    words = text(shown)
    assert "add new-01 (region eu, note fresh)" in words
    assert "change cluster-01: labels none → gpu=yes" in words
    assert "change cluster-02: region us-west → us-east" in words
    assert "1 not in the file: they stay 0 unchanged" in words
    assert repository.fresh().version == before
    assert "the inventory is imported: 3 done" in text(follow(root, apply(root, shown)))
    assert state(root, "cluster-01")["labels"] == {"gpu": "yes"}
    assert state(root, "cluster-02")["region"] == "us-east"
    assert state(root, "new-01")["note"] == "fresh"
    assert state(root, "cluster-03")["state"] == "vacant"
    again = preview(root, FILE)
    assert "There is nothing to change" in text(again)
    assert "Apply" not in text(again)


def test_clusters_not_in_the_file_are_removed_unless_they_are_in_use(
    add: Add, root: FlaskClient, alice: FlaskClient
) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    hold(alice, "cluster-02")
    shown = preview(root, "- {name: cluster-01}", removes="true")
    assert "remove cluster-03 (vacant)" in text(shown)
    assert "in use, so it stays: cluster-02 (held by alice" in text(shown)
    assert "1 done" in text(follow(root, apply(root, shown)))
    assert [root.get(f"/clusters/cluster-0{number}").status_code for number in (1, 2, 3)] == [200, 200, 404]


def test_a_pool_that_changed_meanwhile_shows_the_new_plan(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    shown = preview(root, "- {name: cluster-01, note: new}", removes="true")
    hold(alice, "cluster-03")
    again = apply(root, shown)
    assert again.status_code == 409
    assert "the pool changed meanwhile in what this import touches: look at the new plan" in text(again)
    assert "in use, so it stays: cluster-03" in text(again)
    assert root.get("/clusters/cluster-02").status_code == 200
    assert "2 done" in text(follow(root, apply(root, again)))
    assert [root.get(f"/clusters/cluster-0{number}").status_code for number in (2, 3)] == [404, 200]


def test_an_apply_without_a_plan_shows_the_plan_first(root: FlaskClient) -> None:
    answer = root.post("/ui/admin/applyimport", data={"text": "name,region\nnew-01,eu\n"})
    assert answer.status_code == 409
    assert "add new-01 (region eu)" in text(answer)
    assert root.get("/clusters/new-01").status_code == 404


def test_apply_pressed_twice_says_that_nothing_is_left(root: FlaskClient) -> None:
    shown = preview(root, "name,region\nnew-01,eu\n")
    apply(root, shown)
    again = apply(root, shown)
    assert again.status_code == 200
    assert "There is nothing to change: the pool agrees with the file" in text(again)
    assert "meanwhile" not in text(again)


def test_a_change_elsewhere_in_the_pool_does_not_matter(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    shown = preview(root, "- {name: cluster-01, note: new}")
    hold(alice, "cluster-01")
    hold(alice, "cluster-02")
    assert "1 done" in text(follow(root, apply(root, shown)))
    assert state(root)["note"] == "new"


def test_a_long_note_that_changed_beyond_what_is_shown_counts(add: Add, root: FlaskClient) -> None:
    add("cluster-01", note="x" * 200)
    shown = preview(root, "- {name: cluster-01, note: new}")
    root.post("/updatecluster", data={"cluster": "cluster-01", "name": "root", "note": "x" * 199 + "y"})
    assert apply(root, shown).status_code == 409


def test_an_import_that_empties_a_purpose_cannot_be_applied(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    add("perf-01", purpose="perf")
    shown = preview(root, "- {name: cluster-01}", removes="true")
    assert "no cluster would be left for purpose perf (now perf-01), so nothing is changed" in text(shown)
    assert "Apply" not in text(shown)
    assert apply(root, shown).status_code == 409
    assert root.get("/clusters/perf-01").status_code == 200


def test_the_last_cluster_of_a_purpose_is_not_moved_to_another_one(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    add("perf-01", purpose="perf")
    shown = preview(root, "- {name: perf-01, purpose: tess-ci}")
    assert shown.status_code == 409
    assert "no cluster would be left for purpose perf (now perf-01)" in text(shown)


def test_more_steps_than_fit_into_one_write_are_all_done(root: FlaskClient, repository: ConfigMapRepository) -> None:
    names = [f"cluster-{number:03}" for number in range(120)]
    shown = preview(root, "\n".join(["name,region", *(f"{name},eu" for name in names)]))
    assert "Apply 120 changes" in text(shown)
    assert "120 done" in text(follow(root, apply(root, shown)))
    assert len(commits(root, "added")) == 3
    assert [cluster.name for cluster in repository.fresh().pool.clusters] == names


def test_a_step_that_fails_is_reported_and_stops_no_other(root: FlaskClient) -> None:
    note = "x" * 500
    rows = [f"cluster-{number:04},eu,{note}" for number in range(900)]
    for start in range(0, 900, 100):
        shown = preview(root, "\n".join(["name,region,note", *rows[start : start + 100]]))
        report = apply(root, shown)
        if report.status_code != 303:
            break
    assert "failed" in text(report)
    assert "more than the limit of 900 kB: delete clusters" in text(report)


@pytest.mark.parametrize(
    ("inventory", "sentence"),
    [
        (" ", "there is nothing to import: choose a file, or paste a text"),
        ("name,regoin\na,b\n", "unknown column regoin: did you mean region?"),
        ("name,region\na,b,c\n", "line 2 of the file has 3 cells: expected 2"),
        ('name,note\na,"x\n', "line 2 of the file is not valid CSV"),
        ("name,labels\na,gpu\n", "line 2 of the file has labels gpu: expected key=value pairs"),
        ("name,region\na,b\n\na,c\n", "lists cluster a twice"),
        ("name,labels\na,gpu=yes gpu=no\n", "line 2 of the file has two values for one label (gpu=yes gpu=no)"),
        ('name,labels\na,"{""x"": ""1"", ""x"": ""2""}"\n', "line 2 of the file has two values for one label"),
        (f'name,labels\na,"{{""x"":{"[" * 20_000}"\n', "expected key=value pairs"),
        ("region,note\na,b\n", "the first line of the file has no column name"),
        ("# rack 4, name\n- {nam: a}\n", "entry 1 of the file has no name"),
        (
            "name\n" + "".join(f"a{n}\n" for n in range(2001)),
            "lists 2001 clusters, more than the 2000 that a pool can have",
        ),
        ("name,region\n,b\n", "line 2 of the file has an empty name"),
        ("name,region\nBad Name,b\n", "cluster Bad Name cannot be added"),
        ("- {name: a, regoin: b}\n", "entry 1 of the file (a) has an unknown field regoin: did you mean region?"),
        ('[{"name": "a",}]', "the file is not valid JSON"),
        ("- name: [\n", "the file looks like YAML, but"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place_and_kept(root: FlaskClient, inventory: str, sentence: str) -> None:
    shown = preview(root, inventory)
    assert shown.status_code == 400
    assert sentence in text(shown)
    assert inventory.strip() in unescape(shown.text)


def test_a_file_is_uploaded_in_any_encoding_that_spreadsheets_write(root: FlaskClient) -> None:
    content = "name;region;note\nnew-01;eu;schön\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        shown = root.post("/ui/admin/import", data=upload(content.encode(encoding)))
        assert "add new-01 (region eu, note schön)" in text(shown)
    refused = root.post("/ui/admin/import", data=upload(b"name;region\na;\xff\xfe\xfd\n"))
    assert "the file is not text: byte" in text(refused)
    refused = root.post("/ui/admin/import", data=upload(b"name\na\n", text="name\nb\n"))
    assert "choose a file or paste a text, not both" in text(refused)


def test_a_byte_order_mark_is_pasted_with_the_text(root: FlaskClient) -> None:
    assert "add new-01 (region eu)" in text(preview(root, "\ufeffname,region\nnew-01,eu\n"))


def test_a_file_that_could_not_be_sent_again_is_refused_at_first(root: FlaskClient) -> None:
    content = b"name,region\n" + b"\n" * 40_000 + b"new-01,eu\n"  # browsers send a line break of a form as CR LF
    refused = root.post("/ui/admin/import", data=upload(content))
    assert refused.status_code == 400
    assert "the limit of this page (a line break counts as two bytes)" in text(refused)


@pytest.mark.parametrize("is_file", [True, False])
def test_a_file_that_is_too_large_is_refused_with_the_limit(root: FlaskClient, is_file: bool) -> None:
    too_large = b"x" * BODY_LIMIT
    refused = root.post("/ui/admin/import", data=upload(too_large) if is_file else {"text": too_large})
    assert refused.status_code == 400
    assert "the file is larger than 60 kB, the limit of this page" in text(refused)
    assert "cimaster import --sync" in text(refused)


def test_only_admins_import(add: Add, alice: FlaskClient, client: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    shown = preview(root, FILE)
    for browser in (alice, client):
        assert "Only admins can import an inventory" in text(browser.get("/ui/admin/import"))
        assert preview(browser, FILE).status_code == 403
        assert apply(browser, shown).status_code == 403
    assert root.get("/clusters/new-01").status_code == 404


ODD = [
    {"name": "one", "status": "finished", "note": "=1+1", "labels": {"a": "yes", "b": "012"}, "region": "us-west"},
    {"name": "two", "status": "finished", "note": '\'=quoted, "twice"', "osimage": "null", "purpose": "perf"},
    {"name": "three", "status": "finished", "note": "'plain", "region": "-1", "labels": {"odd key": "a b=c", "x": ""}},
    {"name": "four", "status": "testing", "lastJob": "e2e", "note": "naïve ✓", "labels": {"{": "}"}},
]


@pytest.mark.parametrize("kind", ["json", "yaml", "csv"])
def test_an_export_is_read_back_unchanged(written: WriteRecords, root: FlaskClient, kind: str) -> None:
    written(*ODD, {"name": "broken", "status": "busy"})
    exported = root.get(f"/ui/inventory.{kind}")
    assert exported.headers["Content-Disposition"] == f'attachment; filename="inventory.{kind}"'
    shown = preview(root, exported.text, removes="true")
    assert shown.status_code == 200
    assert "4 unchanged" in text(shown)
    assert "There is nothing to change" in text(shown)


def test_an_exported_cell_is_no_formula(written: WriteRecords, root: FlaskClient) -> None:
    written(*ODD)
    cells = re.split(r"[,\r\n]", root.get("/ui/inventory.csv").text)
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_an_export_follows_the_filter_of_the_table(add: Add, root: FlaskClient) -> None:
    add("cluster-01", label="gpu=yes")
    add("cluster-02")
    page = root.get("/ui/admin?label=gpu%3Dyes").text
    link = unescape(re.findall(r'href="(/ui/inventory\.json[^"]*)"', page)[0])
    assert [entry["name"] for entry in json.loads(root.get(link).text)] == ["cluster-01"]
    assert root.get("/ui/inventory.xml").status_code == 404
