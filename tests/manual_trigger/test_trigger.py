"""Starting a job: what Prow gets, what the caller is told."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manual_trigger.conftest import Caller, Start, refusal
from tests.manual_trigger.deck import DATA
from tests.manual_trigger.plank import Plank, Prow

pytestmark = pytest.mark.kube

NO_TIME = timedelta()
SHA = "0123456789abcdef0123456789abcdef01234567"
PULL = {"pullrequest": 7, "pull_sha": "fedcba9876543210fedcba9876543210fedcba98", "pull_author": "alice"}
OURS = {"cimaster.io/triggered-by", "cimaster.io/triggered-from", "cimaster.io/request-id"}
SAMPLES = sorted((DATA / "mkpj").glob("*.yaml"))


def as_mkpj_would(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored ProwJob without what mkpj cannot know: name, times, the user, and what the API server adds."""
    metadata = stored["metadata"]
    annotations = {key: value for key, value in metadata["annotations"].items() if key not in OURS}
    containers = [without_author(container) for container in stored["spec"]["pod_spec"]["containers"]]
    spec = {**stored["spec"], "pod_spec": {**stored["spec"]["pod_spec"], "containers": containers}}
    return {
        "apiVersion": stored["apiVersion"], "kind": stored["kind"], "spec": spec,
        "metadata": {"labels": metadata["labels"], "annotations": annotations},
        "status": {**stored["status"], "startTime": ""},
    }  # fmt: skip


def without_author(container: dict[str, Any]) -> dict[str, Any]:
    env = [entry for entry in container.get("env", []) if entry["name"] != "AUTHOR"]
    rest = {key: value for key, value in container.items() if key != "env"}
    return {**rest, "env": env} if env else rest


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_prowjob_is_the_one_that_prow_itself_would_make(start: Start, prow: Prow, sample: Path) -> None:
    expected = yaml.safe_load(sample.read_text())
    kind = expected["spec"]["type"]
    asked: dict[str, Any] = {"prowtype": kind, "prowjob": expected["spec"]["job"]}
    if kind == "periodic":
        asked |= {"org": None, "repo": None, "base_ref": None}
    else:
        asked |= {"base_sha": SHA}
    answer = start(wait=NO_TIME).trigger(**asked, **(PULL if kind == "presubmit" else {}))
    assert answer.status_code == 201, answer.text
    assert as_mkpj_would(prow.job(answer.get_json()["job_name"])) == as_mkpj_would(expected)
