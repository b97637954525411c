"""Labels of ProwJobs: values that are too long or not allowed are corrected as Prow corrects them."""

from typing import Any

import pytest

from cimaster.manual_trigger.jobs.labels import labels_of, valid


@pytest.mark.parametrize(
    ("value", "corrected"),
    [
        ("master", "master"),
        ("", ""),
        ("1.32", "1.32"),
        ("a_b-c.d", "a_b-c.d"),
        ("release/1.2", "1.2"),
        ("refs/heads/main", "main"),
        ("a/b/", "b"),
        ("https://git.corp/x", "x"),
        ("a//b//", "b"),
        ("feature/-x", None),
        ("v1_", None),
        ("a b", None),
        ("/", None),
        ("ü", None),
        ("-a", None),
        ("a/b_", None),
        ("a" * 63, "a" * 63),
        ("a" * 64, None),
        ("a" * 64 + "/b", "b"),
        ("main\n", None),
        ("\u0661", None),
    ],
)
def test_an_invalid_label_is_shortened_to_its_last_part_or_left_out(value: str, corrected: str | None) -> None:
    assert valid({"key": value}).get("key") == corrected


def spec(job: str, **more: Any) -> dict[str, Any]:
    return {"type": "postsubmit", "job": job, **more}


@pytest.mark.parametrize(
    ("name", "label"),
    [("a" * 63, "a" * 63), ("a" * 64, "a" * 63), ("a" * 60 + "._-bcd", "a" * 60), ("a" * 62 + "-b", "a" * 62)],
)
def test_long_names_are_cut_and_their_ends_trimmed(name: str, label: str) -> None:
    assert labels_of(spec(name, context=name), {})["prow.k8s.io/job"] == label
    assert labels_of(spec(name, context=name), {})["prow.k8s.io/context"] == label


def test_the_jobs_own_labels_win_and_are_corrected_too() -> None:
    made = labels_of(spec("e2e"), {"prow.k8s.io/job": "mine", "path": "a/b", "bad": "_"})
    assert (made["prow.k8s.io/job"], made["path"]) == ("mine", "b")
    assert "bad" not in made


def test_a_periodic_job_has_the_labels_of_its_first_extra_refs() -> None:
    refs = [{"org": "tess", "repo": "tnet", "base_ref": "x/1.32"}, {"org": "other", "repo": "r"}]
    made = labels_of({"type": "periodic", "job": "nightly", "extra_refs": refs}, {})
    assert made["prow.k8s.io/refs.org"] == "tess"
    assert made["prow.k8s.io/refs.base_ref"] == "1.32"
    assert made["prow.k8s.io/context"] == ""
    assert "prow.k8s.io/refs.pull" not in made


def test_a_job_without_refs_has_no_labels_of_them() -> None:
    assert set(labels_of({"type": "periodic", "job": "nightly"}, {})) == {
        "created-by-prow",
        "prow.k8s.io/type",
        "prow.k8s.io/job",
        "prow.k8s.io/context",
    }
