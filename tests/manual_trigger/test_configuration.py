"""Finding a job in Prow's configuration, and the refusals if there is none."""

from typing import Any

import pytest

from cimaster.errors import Refusal
from cimaster.manual_trigger.errors import (
    AmbiguousJob,
    BadJob,
    ConfigurationInvalid,
    UnknownJob,
    WrongBranch,
)
from cimaster.manual_trigger.jobs.configuration import Configuration
from cimaster.manual_trigger.jobs.trigger_request import TriggerRequest
from tests.manual_trigger.deck import SAMPLE, written

POD = {"containers": [{"image": "alpine", "name": ""}]}


def configuration(**parts: Any) -> Configuration:
    return Configuration(written({"prowjob_namespace": "ci", **parts}))


def wanted(job: str, kind: str = "postsubmit", base_ref: str = "master", repo: str = "tessops") -> TriggerRequest:
    return TriggerRequest(kind, job, "john", "tess", repo, base_ref)


def refused(where: Configuration, wanted: TriggerRequest, kind: type[Refusal]) -> str:
    with pytest.raises(kind) as error:
        where.find(wanted)
    return str(error.value)


SAMPLED = Configuration(SAMPLE)


def test_the_configuration_of_a_real_deck_is_read() -> None:
    assert (SAMPLED.namespace, SAMPLED.pod_namespace) == ("ci", "test-pods")
    assert SAMPLED.link_url == "https://git.example.com"
    assert SAMPLED.counts == {"presubmit": 1, "postsubmit": 4, "periodic": 1}
    assert not SAMPLED.schedules


def test_two_repositories_may_have_a_job_of_one_name() -> None:
    assert SAMPLED.find(wanted("e2e-k8s-1.32")).fields["max_concurrency"] == 4
    assert "max_concurrency" not in SAMPLED.find(wanted("e2e-k8s-1.32", repo="other")).fields


def test_jobs_with_one_name_are_distinguished_by_their_branches() -> None:
    old = {"name": "e2e", "branches": ["^release-1$"], "spec": POD, "max_concurrency": 1}
    new = {"name": "e2e", "skip_branches": ["^release-1$"], "spec": POD, "max_concurrency": 2}
    both = configuration(postsubmits={"tess/tessops": [old, new]})
    assert both.find(wanted("e2e", base_ref="release-1")).fields["max_concurrency"] == 1
    assert both.find(wanted("e2e", base_ref="master")).fields["max_concurrency"] == 2


def test_indistinguishable_jobs_are_ambiguous() -> None:
    job = {"name": "e2e", "branches": ["master"], "spec": POD}
    sentence = refused(configuration(postsubmits={"tess/tessops": [job, job]}), wanted("e2e"), AmbiguousJob)
    assert "2 jobs are called e2e: one on branches that match master; one on" in sentence
    twice = configuration(periodics=[{"name": "nightly", "spec": POD}] * 2)
    assert "2 jobs are called nightly" in refused(twice, TriggerRequest("periodic", "nightly", "john"), AmbiguousJob)


def test_the_refusal_of_a_branch_lists_the_possible_ones() -> None:
    sentence = refused(SAMPLED, wanted("e2e-k8s-1.32", base_ref="main"), WrongBranch)
    assert (
        "does not run on main: choose a branch on which it runs: branches that match ^master$ or ^release-.*$"
        in sentence
    )


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (wanted("e2e-k8s-1.31"), "similar names: e2e-k8s-1.32"),
        (wanted("e2e-k8s-1.31"), ".prow.yaml cannot be started"),
        (wanted("pull-tessops-verify"), "that name is a presubmit of tess/tessops"),
        (wanted("e2e-tnet", repo="other"), "that name is a postsubmit of tess/tessops"),
        (wanted("e2e-tnet", "presubmit"), "that name is a postsubmit of tess/tessops"),
        (wanted("e2e-tnet", "periodic"), "there is no periodic e2e-tnet in Prow's configuration"),
        (wanted("zzz", repo="nothing"), "there is no postsubmit zzz of tess/nothing"),
    ],
    ids=lambda value: getattr(value, "job", None),
)
def test_the_refusal_of_an_unknown_job_lists_the_known_ones(wanted: TriggerRequest, error: str) -> None:
    assert error in refused(SAMPLED, wanted, UnknownJob)


def test_a_job_without_similar_names_lists_none() -> None:
    assert "that name" not in refused(SAMPLED, wanted("zzz"), UnknownJob)


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ({"labels": {"a": True}}, "labels.a", "true"),
        ({"annotations": {"a": 1.5}}, "annotations.a", "the number 1.5"),
        ({"labels": {1: "a"}}, "a key of labels", "the number 1"),
        ({"branches": [1.32]}, "branches[0]", "the number 1.32"),
        ({"skip_branches": ["a", 2]}, "skip_branches[1]", "the number 2"),
        ({"cluster": 7}, "cluster", "the number 7"),
        ({"extra_refs": [{"org": "o", "repo": "r", "base_ref": 1.3}]}, "extra_refs[0].base_ref", "the number 1.3"),
        ({"spec": {"containers": [{"image": "i", "env": [{"name": "N", "value": 1.32}]}]}}, "env[0].value", "1.32"),
        ({"spec": {"containers": [{"image": "i", "env": [{"name": False}]}]}}, "env[0].name", "false"),
        ({"spec": {"containers": [{"image": "i", "args": [1]}]}}, "spec.containers[0].args[0]", "the number 1"),
        ({"spec": {"containers": [{"image": "i", "command": [None]}]}}, "command[0]", "NoneType"),
        ({"spec": {"initContainers": [{"image": 5}]}}, "spec.initContainers[0].image", "the number 5"),
    ],
)
def test_a_number_where_prow_expects_text_is_refused_with_job_and_field(
    change: dict[str, Any], path: str, value: str
) -> None:
    where = configuration(postsubmits={"tess/tessops": [{"name": "e2e", "spec": POD, **change}]})
    sentence = refused(where, wanted("e2e"), BadJob)
    assert path in sentence
    assert value in sentence
    assert "of job e2e" in sentence
    assert "put it in quotes" in sentence


def test_a_job_whose_name_is_a_number_is_found_and_refused() -> None:
    where = configuration(postsubmits={"tess/tessops": [{"name": 132, "spec": POD}]})
    assert "name of job 132 is the number 132" in refused(where, wanted("132"), BadJob)


@pytest.mark.parametrize(
    "change",
    [{"labels": []}, {"branches": "master"}, {"spec": []}, {"spec": {"containers": {}}}, {"extra_refs": ["x"]}],
    ids=str,
)
def test_a_field_of_another_shape_is_refused_with_job_and_field(change: dict[str, Any]) -> None:
    where = configuration(postsubmits={"tess/tessops": [{"name": "e2e", "spec": POD, **change}]})
    assert "of job e2e is not a" in refused(where, wanted("e2e"), BadJob)


def test_a_bad_job_harms_no_other() -> None:
    jobs = [{"name": "bad", "labels": {"a": 1}, "spec": POD}, {"name": "good", "spec": POD}]
    assert configuration(postsubmits={"tess/tessops": jobs}).find(wanted("good")).name == "good"


def test_a_branch_expression_that_cannot_be_read_is_refused() -> None:
    where = configuration(postsubmits={"tess/tessops": [{"name": "e2e", "branches": ["("], "spec": POD}]})
    assert "branches of job e2e cannot be read: missing ): (" in refused(where, wanted("e2e"), BadJob)


def test_an_empty_env_value_needs_no_value() -> None:
    env = [{"name": "A"}, {"name": "B", "value": None}]
    where = configuration(postsubmits={"tess/tessops": [{"name": "e2e", "spec": {"containers": [{"env": env}]}}]})
    assert where.find(wanted("e2e")).fields["spec"]["containers"][0]["env"] == [{"name": "A"}, {"name": "B"}]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"<html><body>Sign in</body></html>",
        b'{"error": "denied"}',
        b"[1, 2]",
        b"a: [",
        b"\xff\xfe\xfd",
        b"postsubmits: 5",
        b"postsubmits: {a/b: 5}",
        b"periodics: [5]",
        b"prowjob_namespace: 5",
        b"presubmits: [a]",
        b"prowjob_namespace: ci\nx: !!python/object:os.system {}",
        b"prowjob_namespace: ci\nx: &a [*a",
        b"prowjob_namespace: ci\nscheduler: [1]",
        b"periodics: []\n? [a]\n: b",
        b"periodics: [" + b"[" * 5000,
        b"periodics: [&a {name: x, spec: *a}]",
        b"periodics: []\nx: " + b"9" * 5000,
        b"periodics: []\nx: !!timestamp 2026-01-02",
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_other_content_than_a_configuration_of_prow_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigurationInvalid):
        Configuration(text)


def test_aliases_for_millions_of_values_are_refused_with_their_place() -> None:
    lists = "".join(f"  x{step + 1}: &x{step + 1} [{', '.join([f'*x{step}'] * 9)}]\n" for step in range(8))
    with pytest.raises(ConfigurationInvalid) as error:
        Configuration(f"periodics:\n- name: e2e\n  x0: &x0 [ha, ha]\n{lists}".encode())
    assert "line 4, column 12): the alias *x0 is not followed: write out the content of its anchor" in str(error.value)


def test_only_the_first_document_counts() -> None:
    assert Configuration(b"periodics: []\nprowjob_namespace: ci\n---\nprowjob_namespace: other\n").namespace == "ci"


def test_missing_settings_have_the_defaults_of_prow() -> None:
    bare = Configuration(b"periodics: []")
    assert (bare.namespace, bare.pod_namespace, bare.link_url) == ("default", "default", "https://github.com")
