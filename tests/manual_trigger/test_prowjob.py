"""How a job's fields appear in its ProwJob, for cases that the samples of mkpj do not cover."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.errors import Refusal
from cimaster.manual_trigger.errors import BadJob, UnsupportedAgent
from cimaster.manual_trigger.jobs.configuration import Configuration
from cimaster.manual_trigger.jobs.prowjob import ProwJobBuilder
from cimaster.manual_trigger.jobs.trigger_request import TriggerRequest
from tests.manual_trigger.deck import written

NOW = datetime(2026, 11, 25, 1, 2, 3, 456, UTC)
DECORATION = {"utility_images": {"clonerefs": "c"}, "gcs_configuration": {"bucket": "b"}}
REFS = {"org": "tess", "repo": "tessops", "base_ref": "master"}


def made(
    kind: str = "postsubmit", top: dict[str, Any] | None = None, user: str = "john", **fields: Any
) -> dict[str, Any]:
    """Return the ProwJob of a job with these fields."""
    job = {"name": "e2e", "spec": {"containers": [{"image": "alpine"}]}, **fields}
    jobs = [job] if kind == "periodic" else {"tess/tessops": [job]}
    configuration = Configuration(written({f"{kind}s": jobs, **(top or {})}))
    request = TriggerRequest(kind, "e2e", user, "tess", "tessops", "master", pull=7 if kind == "presubmit" else 0)
    return ProwJobBuilder(configuration, configuration.find(request), request).build("name", NOW)


def test_missing_fields_are_filled_in_as_prow_does() -> None:
    spec = made(top={"pod_namespace": "pods"})["spec"]
    assert spec == {
        "type": "postsubmit",
        "job": "e2e",
        "agent": "kubernetes",
        "cluster": "default",
        "namespace": "pods",
        "context": "e2e",
        "report": True,
        "refs": REFS,
        "prowjob_defaults": {"tenant_id": "GlobalDefaultID"},
        "pod_spec": {"containers": [{"name": "", "image": "alpine", "env": [{"name": "AUTHOR", "value": "john"}]}]},
    }


@pytest.mark.parametrize(
    ("user", "value"),
    [("Jane Doe", "Jane Doe"), ("José", "José"), ("$(TOKEN)", "$$(TOKEN)"), ("$$(TOKEN)$x", "$$$$(TOKEN)$$x")],
)
def test_any_user_name_reaches_the_job_unchanged(user: str, value: str) -> None:
    """Kubernetes reads `$(NAME)` as the value of another variable, and `$$` as a `$`."""
    prowjob = made(user=user)
    assert prowjob["spec"]["pod_spec"]["containers"][0]["env"] == [{"name": "AUTHOR", "value": value}]
    assert prowjob["metadata"]["annotations"]["cimaster.io/triggered-by"] == user


def test_a_presubmit_has_its_pull_and_the_command_to_run_it_again() -> None:
    spec = made("presubmit")["spec"]
    assert spec["refs"]["pulls"] == [{"number": 7, "author": "", "sha": ""}]
    assert spec["rerun_command"] == "/test e2e"


def test_a_periodic_job_has_neither_refs_nor_context() -> None:
    spec = made("periodic", skip_report=True)["spec"]
    assert not {"refs", "context", "rerun_command"} & set(spec)
    assert spec["report"] is True


def test_the_time_is_in_whole_seconds() -> None:
    assert made()["status"] == {"startTime": "2026-11-25T01:02:03Z", "state": "triggered"}


def test_a_job_that_reports_nothing_has_no_report_field() -> None:
    assert "report" not in made(skip_report=True)["spec"]


@pytest.mark.parametrize("empty", [0, False, "", None, [], {}])
@pytest.mark.parametrize("key", ["max_concurrency", "hidden", "error_on_eviction", "rerun_auth_config", "clone_uri"])
def test_empty_fields_are_left_out(key: str, empty: Any) -> None:
    if key == "clone_uri" and empty not in ("", None):
        return
    spec = made(**{key: empty})["spec"]
    assert key not in spec
    assert key not in spec["refs"]


def test_refs_are_completed_by_the_job() -> None:
    wishes: dict[str, Any] = {
        "path_alias": "p",
        "clone_uri": "u",
        "skip_submodules": True,
        "clone_depth": 5,
        "skip_fetch_head": True,
    }
    assert made(**wishes)["spec"]["refs"] == {**REFS, **wishes}


def test_refs_are_completed_by_the_decoration() -> None:
    decoration = {**DECORATION, "blobless_fetch": True, "sparse_checkout_files": ["a"]}
    extra = [{"org": "o", "repo": "r"}, {"org": "o", "repo": "s", "blobless_fetch": False}]
    spec = made(decoration_config=decoration, extra_refs=extra)["spec"]
    assert spec["refs"] == {**REFS, "blobless_fetch": True, "sparse_checkout_files": ["a"]}
    assert [refs["blobless_fetch"] for refs in spec["extra_refs"]] == [True, False]
    assert spec["decoration_config"] == decoration


@pytest.mark.parametrize(
    ("slack", "report"),
    [
        ({"channel": "c"}, True),
        ({"channel": "c", "job_states_to_report": ["failure"]}, True),
        ({"channel": "c", "job_states_to_report": []}, False),
        ({"channel": "c", "report": False}, False),
        ({"channel": "c", "report": True, "job_states_to_report": []}, True),
    ],
)
def test_slack_is_notified_unless_the_job_reports_no_states(slack: dict[str, Any], report: bool) -> None:
    made_of = made(reporter_config={"slack": slack})["spec"]["reporter_config"]["slack"]
    assert made_of["report"] is report
    assert made_of.get("job_states_to_report") != []


def test_fields_for_other_components_of_prow_are_passed_on() -> None:
    passed_on: dict[str, Any] = {
        "max_concurrency": 2,
        "error_on_eviction": True,
        "hidden": True,
        "job_queue_name": "q",
        "rerun_auth_config": {"allow_anyone": True},
        "pipeline_run_spec": {"a": 1},
        "tekton_pipeline_run_spec": {"b": 2},
        "jenkins_spec": {"github_branch_source_job": True},
    }
    spec = made(**passed_on, prowjob_defaults={"tenant_id": "t", "resultstore_config": {"project_id": "p"}})["spec"]
    assert {key: spec[key] for key in passed_on} == passed_on
    assert spec["prowjob_defaults"] == {"tenant_id": "t", "resultstore_config": {"project_id": "p"}}


def test_making_a_prowjob_changes_nothing_in_the_configuration() -> None:
    env = [{"name": "AUTHOR", "value": "the job's own"}]
    text = written({"periodics": [{"name": "e2e", "spec": {"containers": [{"image": "a", "env": env}]}}]})
    configuration, request = Configuration(text), TriggerRequest("periodic", "e2e", "john")
    first = ProwJobBuilder(configuration, configuration.find(request), request).build("a", NOW)
    other = TriggerRequest("periodic", "e2e", "alice")
    second = ProwJobBuilder(configuration, configuration.find(other), other).build("a", NOW)
    users = [each["spec"]["pod_spec"]["containers"][0]["env"][0]["value"] for each in (first, second)]
    assert users == ["john", "alice"]


def test_an_author_from_a_secret_is_replaced_whole() -> None:
    env = [{"name": "AUTHOR", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    container = made(spec={"containers": [{"image": "a", "env": env}]})["spec"]["pod_spec"]["containers"][0]
    assert container["env"] == [{"name": "AUTHOR", "value": "john"}]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = (
    "name",
    "agent",
    "cluster",
    "namespace",
    "labels",
    "annotations",
    "spec",
    "decorate",
    "decoration_config",
    "reporter_config",
    "extra_refs",
    "prowjob_defaults",
    "branches",
    "max_concurrency",
    "clone_uri",
    "skip_report",
)


@given(field=st.sampled_from(_FIELDS), value=_JSON, inner=st.sampled_from(["", "containers", "slack", "env"]))
def test_any_value_of_a_field_gives_a_job_or_a_refusal(field: str, value: object, inner: str) -> None:
    wrapped = {"containers": [{"image": "a", "env": value}]} if inner == "env" else {inner: value} if inner else value
    job = {"name": "e2e", "spec": {"containers": [{"image": "alpine"}]}, field: wrapped}
    text = json.dumps({"postsubmits": {"tess/tessops": [job]}}, ensure_ascii=False).encode()
    request = TriggerRequest("postsubmit", str(job["name"]), "john", "tess", "tessops", "master")
    with suppress(Refusal):
        configuration = Configuration(text)
        json.dumps(ProwJobBuilder(configuration, configuration.find(request), request).build("name", NOW))


@pytest.mark.parametrize(
    ("fields", "kind", "sentence"),
    [
        ({"agent": "jenkins"}, UnsupportedAgent, "run by jenkins"),
        ({"agent": "tekton-pipeline"}, UnsupportedAgent, "choose a job whose agent is kubernetes"),
        ({"spec": None}, BadJob, "no containers"),
        ({"spec": {"containers": []}}, BadJob, "no containers"),
        ({"decorate": True}, BadJob, "no decoration_config.utility_images"),
        ({"decorate": True, "decoration_config": {"utility_images": {"a": "b"}}}, BadJob, "gcs_configuration"),
        ({"decoration_config": {"timeout": "2h"}}, BadJob, "Deck's /config"),
    ],
)
def test_a_job_that_prow_could_not_run_is_refused(fields: dict[str, Any], kind: type[Refusal], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        made(**fields)


def test_if_all_jobs_are_decorated_a_job_needs_its_decoration() -> None:
    with pytest.raises(BadJob, match="is decorated"):
        made(top={"decorate_all_jobs": True})
    assert "decoration_config" not in made(top={"decorate_all_jobs": True}, decorate=False)["spec"]
