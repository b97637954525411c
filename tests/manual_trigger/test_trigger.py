"""Starting a job: the ProwJob that is created, and the caller's answer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manual_trigger.conftest import REQUEST_BODY, Caller, Start, refusal
from tests.manual_trigger.deck import DATA, Deck, sample
from tests.manual_trigger.plank import Plank, Prow

NO_TIME = timedelta()
SHA = "0123456789abcdef0123456789abcdef01234567"
PULL: dict[str, Any] = {
    "pullrequest": 7,
    "pull_sha": "fedcba9876543210fedcba9876543210fedcba98",
    "pull_author": "alice",
}
OURS = {"cimaster.io/triggered-by", "cimaster.io/triggered-from", "cimaster.io/request-id"}
SAMPLES = sorted((DATA / "mkpj").glob("*.yaml"))


def as_mkpj_would(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored ProwJob without what mkpj cannot know: name, times, the user, and what the API server adds."""
    metadata = stored["metadata"]
    annotations = {key: value for key, value in metadata["annotations"].items() if key not in OURS}
    containers = [without_author(container) for container in stored["spec"]["pod_spec"]["containers"]]
    spec = {**stored["spec"], "pod_spec": {**stored["spec"]["pod_spec"], "containers": containers}}
    return {
        "apiVersion": stored["apiVersion"],
        "kind": stored["kind"],
        "spec": spec,
        "metadata": {"labels": metadata["labels"], "annotations": annotations},
        "status": {**stored["status"], "startTime": ""},
    }


def without_author(container: dict[str, Any]) -> dict[str, Any]:
    env = [entry for entry in container.get("env", []) if entry["name"] != "AUTHOR"]
    rest = {key: value for key, value in container.items() if key != "env"}
    return {**rest, "env": env} if env else rest


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_prowjob_equals_the_one_that_prow_would_make(start: Start, prow: Prow, sample: Path) -> None:
    expected = yaml.safe_load(sample.read_text())
    kind = expected["spec"]["type"]
    request: dict[str, Any] = {"prowtype": kind, "prowjob": expected["spec"]["job"]}
    if kind == "periodic":
        request |= {"org": None, "repo": None, "base_ref": None}
    else:
        request |= {"base_sha": SHA}
    answer = start(wait=NO_TIME).trigger(**request, **(PULL if kind == "presubmit" else {}))
    assert answer.status_code == 201, answer.text
    assert as_mkpj_would(prow.job(answer.get_json()["job_name"])) == as_mkpj_would(expected)


def test_the_api_server_would_refuse_a_field_that_prow_does_not_know(start: Start, prow: Prow) -> None:
    stored = prow.job(start(wait=NO_TIME).trigger().get_json()["job_name"])
    wrong = {**stored, "metadata": {"name": "wrong"}, "spec": {**stored["spec"], "pod_specs": {}}}
    answer = prow.create(wrong)
    assert answer.status == 400
    assert 'unknown field "spec.pod_specs"' in answer.json()["message"]


def test_an_unknown_field_in_the_configuration_starts_nothing(start: Start, deck: Deck, prow: Prow) -> None:
    configuration = sample()
    configuration["postsubmits"]["tess/tessops"][0]["spec"]["containers"][0]["imagePolicy"] = "Always"
    deck.serve(configuration)
    status, code, sentence = refusal(start().trigger())
    assert (status, code) == (422, "job_rejected")
    assert "imagePolicy" in sentence
    assert prow.jobs() == []


def authors(stored: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [
        [entry for entry in container["env"] if entry["name"] == "AUTHOR"]
        for container in stored["spec"]["pod_spec"]["containers"]
    ]


def test_author_replaces_an_existing_entry_in_its_place(caller: Caller, prow: Prow) -> None:
    stored = prow.job(caller.trigger().get_json()["job_name"])
    env = stored["spec"]["pod_spec"]["containers"][0]["env"]
    assert env[0] == {"name": "AUTHOR", "value": "john"}
    assert [entry["name"] for entry in env] == ["AUTHOR", "K8S_VERSION", "KEEP_ON_FAILURE", "CLOUD_CREDENTIALS"]


def test_author_is_set_in_every_container(caller: Caller, prow: Prow) -> None:
    stored = prow.job(caller.trigger(prowjob="e2e-tnet").get_json()["job_name"])
    assert authors(stored) == [[{"name": "AUTHOR", "value": "john"}]] * 2


def test_author_is_not_set_in_init_containers(start: Start, deck: Deck, prow: Prow) -> None:
    configuration = sample()
    spec = configuration["postsubmits"]["tess/tessops"][2]["spec"]
    spec["initContainers"] = [{"image": "alpine:3.22", "command": ["true"]}]
    deck.serve(configuration)
    stored = prow.job(start(wait=NO_TIME).trigger(prowjob="plain-script").get_json()["job_name"])
    assert stored["spec"]["pod_spec"]["initContainers"] == [{"name": "", "image": "alpine:3.22", "command": ["true"]}]
    assert authors(stored) == [[{"name": "AUTHOR", "value": "john"}]]


def test_a_prowjob_names_its_user_and_its_origin(caller: Caller, prow: Prow) -> None:
    answer = caller.trigger(source="cimaster creation 7", request_id="r-1")
    annotations = prow.job(answer.get_json()["job_name"])["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key in OURS} == {
        "cimaster.io/triggered-by": "john",
        "cimaster.io/triggered-from": "cimaster creation 7",
        "cimaster.io/request-id": "r-1",
    }


def test_the_answer_has_the_build_and_links_to_it(caller: Caller) -> None:
    answer = caller.trigger()
    body = answer.get_json()
    name, build = body["job_name"], body["build_id"]
    assert (answer.status_code, body["success"]) == (201, True)
    assert body["message"] == f"ProwJob created successfully: build {build}"
    assert body["status_link"] == f"https://prow.example.com/prowjob?prowjob={name}"
    assert body["log_link"] == f"https://prow.example.com/log?job=e2e-k8s-1.32&id={build}"
    assert (body["state"], body["description"], body["complete"]) == ("pending", "Job triggered.", False)
    assert body["url"].endswith(f"/e2e-k8s-1.32/{build}")


def test_links_lead_to_the_source_of_the_configuration_or_the_setting(start: Start, deck: Deck, plank: Plank) -> None:
    body = start(status_url="").trigger().get_json()
    assert body["status_link"].startswith(f"{deck.origin}/prowjob?prowjob=")
    assert body["log_link"].startswith(f"{deck.origin}/log?job=")


def test_a_configuration_from_a_file_gives_links_only_by_a_setting(start: Start, plank: Plank) -> None:
    body = start(config=str(DATA / "deck-config.yaml"), status_url="").trigger().get_json()
    assert body["build_id"]
    assert (body["status_link"], body["log_link"]) == ("", "")


def test_a_job_without_a_build_id_in_time_is_a_success_with_a_link(start: Start, plank: Plank) -> None:
    plank.mode = "stall"
    answer = start(wait=timedelta(seconds=1)).trigger()
    body = answer.get_json()
    assert (answer.status_code, body["success"], body["log_link"], body["state"]) == (201, True, "", "triggered")
    assert f"ask GET /manual-trigger/{body['job_name']}" in body["message"]


def test_a_job_that_prow_cannot_run_is_a_failure_with_the_reason(caller: Caller, plank: Plank) -> None:
    plank.mode = "fail"
    answer = caller.trigger(request_id="r-1")
    status, code, sentence = refusal(answer)
    assert (status, code) == (502, "job_failed")
    assert "quota exceeded" in sentence
    body = answer.get_json()
    assert body["job_name"]
    assert body["status_link"].endswith(body["job_name"])
    assert (body["state"], body["complete"]) == ("error", True)
    assert refusal(caller.trigger(request_id="r-1")) == (status, code, sentence)


def test_a_job_that_has_already_ended_counts_as_started(caller: Caller, plank: Plank, prow: Prow) -> None:
    plank.mode = "finish"
    answer = caller.trigger()
    assert (answer.status_code, answer.get_json()["success"]) == (201, True)


def test_a_job_that_is_aborted_before_it_has_a_build_ends_the_waiting(start: Start, prow: Prow) -> None:
    caller = start(wait=timedelta(minutes=1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller.trigger)
        while not prow.jobs():
            pass
        prow.patch(
            prow.jobs()[0]["metadata"]["name"], {"state": "aborted", "description": "Aborted by trigger plugin."}
        )
        body = waiting.result().get_json()
    assert (body["state"], body["build_id"]) == ("aborted", "")
    assert "ended without a build id: aborted. Aborted by trigger plugin" in body["message"]


def test_if_a_scheduler_chooses_the_cluster_the_job_starts_there(start: Start, deck: Deck, prow: Prow) -> None:
    deck.serve({**sample(), "scheduler": {"enabled": True}})
    body = start(wait=NO_TIME).trigger().get_json()
    assert body["state"] == prow.job(body["job_name"])["status"]["state"] == "scheduling"


def test_the_namespace_is_the_one_that_the_configuration_names(
    start: Start, deck: Deck, prow: Prow, namespace: str
) -> None:
    deck.serve({**sample(), "prowjob_namespace": namespace})
    assert start(namespace="", wait=NO_TIME).trigger().status_code == 201
    assert len(prow.jobs()) == 1


def test_other_git_servers_are_named_in_the_job_if_a_setting_says_so(start: Start, prow: Prow) -> None:
    body = start(repo_links=True, wait=NO_TIME).trigger().get_json()
    assert prow.job(body["job_name"])["spec"]["refs"]["repo_link"] == "https://git.example.com/tess/tessops"


@pytest.mark.parametrize("how", ["json", "data", "query_string"])
def test_a_request_may_be_json_a_form_or_a_query(caller: Caller, prow: Prow, how: str) -> None:
    answer = caller.post("/manual-trigger", **{how: REQUEST_BODY})
    assert answer.status_code == 201, answer.text
    assert prow.job(answer.get_json()["job_name"])["spec"]["job"] == "e2e-k8s-1.32"


def test_a_periodic_job_may_be_requested_with_its_repository(caller: Caller) -> None:
    name = next(path.stem for path in SAMPLES if path.stem.startswith("ci-pool"))
    assert caller.trigger(prowtype="periodic", prowjob=name).status_code == 201
    status, code, sentence = refusal(caller.trigger(prowtype="periodic", prowjob=name, base_ref="release-1"))
    assert (status, code) == (422, "wrong_repository")
    assert "works on tess/tessops at master" in sentence
