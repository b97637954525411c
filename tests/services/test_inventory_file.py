"""An inventory file: what each entry says about its cluster, and what is refused with which remedy."""

import json

import pytest

from cimaster.errors import BadBody
from cimaster.pool import ClusterFacts
from cimaster.pool.codec import CLUSTERS
from cimaster.services import inventory_file


def test_a_fact_left_out_is_none_and_an_empty_one_is_empty() -> None:
    text = '- {name: a, region: us, labels: {gpu: "yes"}}\n- {name: b, osimage: "", labels: {}, note: }\n- name: c\n'
    assert inventory_file.read(text) == {
        "a": ClusterFacts(region="us", labels={"gpu": "yes"}),
        "b": ClusterFacts(osimage="", labels={}, note=""),
        "c": ClusterFacts(),
    }


def test_an_empty_labels_field_of_yaml_removes_all_labels() -> None:
    assert inventory_file.read("- name: a\n  labels:\n") == {"a": ClusterFacts(labels={})}


def test_a_note_of_several_lines_becomes_one_line() -> None:
    assert inventory_file.read("- name: a\n  note: |\n    one\n    two\n")["a"].note == "one two"


def test_json_is_read_too() -> None:
    assert inventory_file.read('[{"name": "a", "purpose": "perf"}]') == {"a": ClusterFacts(purpose="perf")}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_too_with_the_facts_that_have_a_column(separator: str) -> None:
    lines = ("Name,labels,note", "a,gpu=yes zone=a,'=1+1", "", 'b,,"one, two"', "c,,")
    text = "\r\n".join(line.replace("one, two", "x").replace(",", separator) for line in lines).replace("x", "one, two")
    assert inventory_file.read(text) == {
        "a": ClusterFacts(labels={"gpu": "yes", "zone": "a"}, note="=1+1"),
        "b": ClusterFacts(labels={}, note="one, two"),
        "c": ClusterFacts(labels={}, note=""),
    }


RECORD = {"name": "a", "region": "us", "status": "testing", "lastJob": "e2e", "hold": True, "note": "n", "weight": 1}


@pytest.mark.parametrize(
    "text",
    [json.dumps([RECORD]), json.dumps({"kind": "ConfigMap", "data": {CLUSTERS: json.dumps([RECORD])}})],
    ids=["cluster.json", "export"],
)
def test_of_a_stored_record_only_the_facts_count(text: str) -> None:
    assert inventory_file.read(text) == {"a": ClusterFacts(region="us", note="n")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- {name: a, lables: {}}", r"entry 1 of the file \(a\) has an unknown field lables: did you mean labels\?"),
        ("- {name: a, label: x}", r"unknown field label: did you mean labels\?"),
        ("- {name: a, disabled: true}", "unknown field disabled: expected name, region, purpose"),
        ("- {name: a}\n- {name: a, region: us}", "lists cluster a twice: keep only one"),
        ("- {name: a}\n- {name: ' a '}", "lists cluster a twice"),
        ("- {name: a}\n- a", "entry 2 of the file is a text: expected a cluster with name, region"),
        ("[" + "[" * 200 + "]" * 200 + "]", "entry 1 of the file is nested too deeply"),
        ("- {region: us}", "entry 1 of the file has no name"),
        ("- {name: ' '}", "entry 1 of the file has an empty name"),
        ("- {name: 5}", "a name that is a number: expected a text, in quotes if need be"),
        ("- {name: a, note: [x]}", "a note that is a list: expected a text"),
        ("- {name: a, labels: [gpu=yes]}", "labels that are a list: expected keys with values"),
        ("- {name: a, labels: {cores: 16}}", "a label cores that is a number: expected a text, in quotes"),
        ("- {name: a, status: vacant}", "is broken .*: correct it, or take it out"),
        ("", "the file contains nothing instead of a pool"),
        (json.dumps({"data": {CLUSTERS: "{}"}}), "has a cluster.json that cannot be read: expected an array"),
        (json.dumps({"data": {CLUSTERS: "[{"}}), r"has a cluster.json that is not valid JSON \(line 1, column 3\)"),
    ],
    ids=lambda value: ascii(value[:40]),
)
def test_a_wrong_entry_is_refused_with_its_remedy(text: str, reason: str) -> None:
    with pytest.raises(BadBody, match=reason):
        inventory_file.read(text)
