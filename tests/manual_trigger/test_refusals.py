"""Each refusal has its own status, code and sentence, all have one shape, and nothing is started."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cimaster.errors import BadBody, BadParameter, MissingParameter, Refusal, RequestIdReused, UnknownParameter
from cimaster.manual_trigger import errors
from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.settings import Rate
from tests.kube.apiserver import ControlPlane
from tests.manual_trigger.conftest import Caller, Start, refusal
from tests.manual_trigger.deck import Deck, sample
from tests.manual_trigger.plank import Plank, Prow
from tests.manual_trigger.process import TOKEN


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/manual-trigger", 405, "method_not_allowed"),
        ("PUT", "/manual-trigger", 405, "method_not_allowed"),
        ("GET", "/reload", 405, "method_not_allowed"),
        ("GET", "/metrics", 404, "not_found"),
        ("POST", "/manual-trigger/x", 405, "method_not_allowed"),
        ("GET", "/manual-trigger/a/b", 404, "not_found"),
    ],
)
def test_errors_of_the_framework_have_the_common_shape(
    alone: Caller, method: str, path: str, status: int, code: str
) -> None:
    answer = alone.client.open(path, method=method, headers=alone.headers)
    assert refusal(answer)[:2] == (status, code)
    assert status != 405 or answer.headers["Allow"]


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"prowjob": "e2e-k8s-1.31"}, 404, "unknown_job"),
        ({"repo": "nothing"}, 404, "unknown_job"),
        ({"prowjob": "pull-tessops-verify"}, 404, "unknown_job"),
        ({"base_ref": "main"}, 422, "wrong_branch"),
    ],
    ids=str,
)
def test_an_unknown_job_is_refused(alone: Caller, parameters: dict[str, Any], status: int, code: str) -> None:
    assert refusal(alone.trigger(**parameters))[:2] == (status, code)


def job(**fields: Any) -> dict[str, Any]:
    return {"name": "odd", "spec": {"containers": [{"image": "alpine"}]}, **fields}


@pytest.mark.parametrize(
    ("jobs", "status", "code"),
    [
        ([job(), job()], 409, "ambiguous_job"),
        ([job(agent="jenkins")], 422, "unsupported_agent"),
        ([job(labels={"a": 1})], 422, "bad_job"),
        ([job(decorate=True)], 422, "bad_job"),
    ],
    ids=["ambiguous", "agent", "number", "decorated"],
)
def test_a_job_that_cannot_be_started_is_refused(
    alone: Caller, deck: Deck, jobs: list[Any], status: int, code: str
) -> None:
    deck.serve({**sample(), "postsubmits": {"tess/tessops": jobs}})
    assert alone.post("/reload").status_code == 200
    assert refusal(alone.trigger(prowjob="odd", request_id=None))[:2] == (status, code)


def test_a_user_without_a_rule_is_refused_with_the_missing_line(alone: Caller, tmp_path: Path) -> None:
    (tmp_path / "allow").write_text("e2e-* tess/tessops master alice\n")
    status, code, sentence = refusal(alone.trigger())
    assert (status, code) == (403, "not_allowed")
    assert "the line e2e-k8s-1.32 tess/tessops master john in" in sentence
    assert refusal(alone.trigger(user="alice"))[1] == "prow_unreachable"


def test_a_commit_is_started_only_if_the_rule_allows_it(alone: Caller, tmp_path: Path) -> None:
    (tmp_path / "allow").write_text("e2e-* tess/tessops master john\n")
    status, code, sentence = refusal(alone.trigger(base_sha="a" * 40))
    assert (status, code) == (403, "not_allowed")
    assert "only on the tip of master: leave out base_sha" in sentence
    assert refusal(alone.trigger())[1] == "prow_unreachable"
    (tmp_path / "allow").write_text("e2e-* tess/tessops master john base_sha\n")
    assert refusal(alone.trigger(base_sha="a" * 40))[1] == "prow_unreachable"


def test_a_periodic_job_is_allowed_by_its_repository(alone: Caller, tmp_path: Path) -> None:
    name = sample()["periodics"][0]["name"]
    (tmp_path / "allow").write_text("ci-* tess/tessops master john\n")
    parameters = {"prowtype": "periodic", "prowjob": name, "org": None, "repo": None, "base_ref": None}
    assert refusal(alone.trigger(**parameters))[1] == "prow_unreachable"
    (tmp_path / "allow").write_text("ci-* tess/other ** john\n")
    assert refusal(alone.trigger(**parameters))[1] == "not_allowed"


def test_an_unreachable_api_server_is_reported(alone: Caller) -> None:
    answer = alone.trigger()
    status, code, sentence = refusal(answer)
    assert (status, code, answer.headers["Retry-After"]) == (503, "prow_unreachable", "5")
    assert "the API server of Prow's cluster cannot be reached: NewConnectionError" in sentence
    for changes in ({"request_id": "r"}, {"force": True}):
        assert refusal(alone.trigger(**changes))[1] == "prow_unreachable"
    assert refusal(alone.get("/manual-trigger/x"))[1] == "prow_unreachable"


def test_jobs_are_started_at_a_bounded_rate_and_repeats_are_free(start: Start, plank: Plank, prow: Prow) -> None:
    caller = start(rate=Rate(2, timedelta(hours=1)))
    assert [caller.trigger(request_id=name).status_code for name in "ab"] == [201, 201]
    answer = caller.trigger(request_id="c")
    status, code, sentence = refusal(answer)
    assert (status, code) == (429, "too_many")
    assert 1700 < int(answer.headers["Retry-After"]) <= 1800
    assert "the limit of 2 jobs in 3600 s" in sentence
    assert len(prow.jobs()) == 2
    for _ in range(5):
        assert caller.trigger(request_id="a").status_code == 200
        assert caller.trigger().status_code == 200
    assert caller.trigger(user="alice").status_code == 201


def test_beyond_the_waiting_limit_starts_are_refused_and_reads_answered(start: Start, plank: Plank, prow: Prow) -> None:
    plank.mode = "stall"
    caller = start(threads=4, wait=timedelta(minutes=1))
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(caller.trigger, user=user) for user in ("a", "b")]
        while len(prow.jobs()) < 2:
            pass
        answer = caller.trigger()
        assert refusal(answer)[:2] == (429, "too_many")
        assert answer.headers["Retry-After"] == "5"
        names = [job["metadata"]["name"] for job in prow.jobs()]
        assert caller.get(f"/manual-trigger/{names[0]}").status_code == 200
        for job in prow.jobs():
            prow.pick_up(job, "123")
        assert [each.result().status_code for each in waiting] == [201, 201]
    assert len(prow.jobs()) == 2


def test_an_account_without_rights_has_its_own_refusal(
    start: Start, prow_plane: ControlPlane, namespace: str, tmp_path: Path, prow: Prow
) -> None:
    prow_plane.apply(namespace)
    caller = start(prow_plane.service_account_kubeconfig(namespace, tmp_path / "other.kubeconfig", account="cimaster"))
    for changes in ({}, {"force": True}, {"request_id": "r"}):
        status, code, sentence = refusal(caller.trigger(**changes))
        assert (status, code) == (502, "prow_forbidden")
        assert "apply the Role in k8s/manual-trigger" in sentence
        assert "cannot" in sentence
    assert refusal(caller.get("/manual-trigger/x"))[:2] == (502, "prow_forbidden")
    assert prow.jobs() == []


def test_a_missing_namespace_has_its_own_refusal(start: Start, prow_plane: ControlPlane, tmp_path: Path) -> None:
    assert refusal(start(namespace="nowhere").trigger(force=True))[:2] == (502, "prow_forbidden")


@pytest.fixture(scope="module")
def bare_plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """An API server without the CRD of ProwJobs."""
    with ControlPlane() as running:
        yield running


@pytest.mark.parametrize("parameters", [{}, {"force": True}, {"request_id": "r"}], ids=str)
def test_a_cluster_without_prowjobs_has_its_own_refusal(
    start: Start, bare_plane: ControlPlane, tmp_path: Path, parameters: dict[str, Any]
) -> None:
    namespace = bare_plane.namespace()
    bare_plane.apply(namespace, "manual-trigger")
    access = bare_plane.service_account_kubeconfig(namespace, tmp_path / "bare.kubeconfig", account="manual-trigger")
    caller = start(access, namespace=namespace)
    status, code, sentence = refusal(caller.trigger(**parameters))
    assert (status, code) == (502, "prow_missing")
    assert "install Prow's CRD" in sentence
    assert refusal(caller.get("/manual-trigger/x"))[:2] == (502, "prow_missing")


def all_refusals() -> set[type[Refusal]]:
    """Return every class of refusal of the manual-trigger service."""
    shared = {BadBody, BadParameter, MissingParameter, RequestIdReused, UnknownParameter}
    ours = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Refusal)}
    return (ours | shared) - {Refusal}


def test_every_refusal_has_a_status_and_a_code_of_its_own() -> None:
    assert len({each.code for each in all_refusals()}) == len(all_refusals())
    assert all(400 <= each.status < 600 and each.status != 500 for each in all_refusals())


def test_a_log_line_has_caller_address_request_and_outcome_but_no_token(
    alone: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = alone.trigger(source="cimaster", headers={"X-Request-ID": "correlate-me"})
    assert answer.headers["X-Request-ID"] == answer.get_json()["request"] == "correlate-me"
    [line] = [record for record in caplog.records if record.name == "cimaster.request"]
    logged = {key: vars(line)[key] for key in ("user", "source", "job", "outcome", "status")}
    assert logged == {
        "user": "john",
        "source": "cimaster",
        "job": "e2e-k8s-1.32",
        "outcome": "prow_unreachable",
        "status": 503,
    }
    assert TOKEN not in json.dumps([record.__dict__ for record in caplog.records], default=str)


def test_a_bug_is_reported_with_its_id_in_the_log(alone: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(components_of(alone.client.application).trigger_service, "start", fail)
    answer = alone.trigger()
    status, code, sentence = refusal(answer)
    assert (status, code) == (500, "internal_error")
    assert answer.headers["X-Request-ID"] in sentence
