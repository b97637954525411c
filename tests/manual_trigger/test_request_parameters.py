"""Wrong parameters are refused by name, and never cause an internal error."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.parameters import PARAMETERS
from tests.manual_trigger.conftest import REQUEST_BODY, Caller, refusal

NAMES = [parameter.name for parameter in PARAMETERS]
LIMITS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize("name", ["org", "repo", "base_ref", "prowtype", "prowjob", "user"])
def test_a_missing_parameter_is_named(alone: Caller, name: str) -> None:
    answer = alone.trigger(**{name: None})
    status, code, sentence = refusal(answer)
    assert (status, code, answer.get_json()["parameter"]) == (400, "missing_parameter", name)
    assert sentence.startswith(f"{name} is required: ")


@pytest.mark.parametrize("parameters", [{}, {"pullrequest": 0}])
def test_a_presubmit_needs_the_number_of_its_pull_request(alone: Caller, parameters: dict[str, Any]) -> None:
    status, code, sentence = refusal(alone.trigger(prowtype="presubmit", prowjob="pull-tessops-verify", **parameters))
    assert (status, code) == (400, "missing_parameter")
    assert sentence == "pullrequest is required for presubmit jobs: give the number of the pull request"


@pytest.mark.parametrize("parameters", [{"pullrequest": 7}, {"pull_sha": "a" * 40}, {"pull_author": "alice"}], ids=str)
def test_only_presubmits_have_a_pull_request(alone: Caller, parameters: dict[str, Any]) -> None:
    status, code, sentence = refusal(alone.trigger(**parameters))
    assert (status, code) == (400, "bad_parameter")
    assert "is only allowed with prowtype presubmit" in sentence


@pytest.mark.parametrize(
    ("name", "near"), [("baseref", "base_ref"), ("job", "prowjob"), ("usr", "user"), ("zzzzz", None)]
)
def test_an_unknown_parameter_is_refused_with_the_nearest_one(alone: Caller, name: str, near: str | None) -> None:
    parameters: dict[str, Any] = {name: "x"}
    answer = alone.trigger(**parameters)
    status, code, sentence = refusal(answer)
    assert (status, code, answer.get_json()["parameter"]) == (400, "unknown_parameter", name)
    assert (f"did you mean {near}?" if near else "it takes org, repo") in sentence


@pytest.mark.parametrize(
    "branch",
    [
        "-x",
        "--upload-pack=x",
        "/x",
        "x/",
        "x.",
        ".x",
        "a/.b",
        "x.lock",
        "a.lock/b",
        "a..b",
        "a//b",
        "a@{1}",
        "@",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?b",
        "a*b",
        "a[b",
        "a\\b",
        "a\tb",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "ü",
        "x" * 256,
        "$(reboot)",
        "`reboot`",
        "a;reboot",
        "a|b",
        "a&b",
        "a>b",
        "a'b",
        'a"b',
        "main\nmain",
    ],
)
def test_a_branch_that_git_or_a_shell_could_misread_is_refused(alone: Caller, branch: str) -> None:
    status, code, sentence = refusal(alone.trigger(base_ref=branch))
    assert (status, code) == (400, "bad_parameter")
    assert sentence.startswith("base_ref is ")


@pytest.mark.parametrize("branch", ["refs/pull/1/head", "pull/1/head", "HEAD", "a" * 40, "tags/v1"])
def test_names_that_git_reads_as_commits_or_pull_requests_are_refused(alone: Caller, branch: str) -> None:
    status, code, sentence = refusal(alone.trigger(base_ref=branch))
    assert (status, code) == (400, "bad_parameter")
    assert "expected the name of a branch, such as master, not a commit, a tag or a pull request" in sentence


@pytest.mark.parametrize("branch", ["release/1.32", "a.b", "a@b", "feature-x", "x.locks", "a+b=c,d#1", "@x", "x" * 255])
def test_other_branches_are_read(alone: Caller, branch: str) -> None:
    assert refusal(alone.trigger(base_ref=branch, prowjob="plain-script"))[1] == "prow_unreachable"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("org", "a/b"),
        ("org", ".."),
        ("org", "-o"),
        ("repo", ".."),
        ("repo", "a/b"),
        ("repo", "-r"),
        ("repo", "."),
        ("prowjob", "a b"),
        ("prowjob", "a/b"),
        ("prowjob", "x" * 254),
        ("prowtype", "batch"),
        ("prowtype", "Postsubmit"),
        ("base_sha", "HEAD"),
        ("base_sha", "A" * 40),
        ("base_sha", "a" * 39),
        ("pull_sha", "xyz"),
        ("pull_author", "a b"),
        ("pullrequest", "-1"),
        ("pullrequest", "7.5"),
        ("pullrequest", "\u0661"),
        ("pullrequest", "1" * 10),
        ("force", "yes"),
        ("force", 1),
        ("request_id", "a b"),
        ("request_id", "x" * 129),
        ("user", ["john", "eve"]),
        ("user", ["john"]),
        ("user", []),
        ("user", {"a": 1}),
        ("user", "\u200b"),
        ("user", ""),
        ("user", None),
        ("pullrequest", 1.5),
    ],
)
def test_a_malformed_value_is_refused_by_name(alone: Caller, name: str, value: object) -> None:
    answer = alone.post("/manual-trigger", json={**REQUEST_BODY, name: value})
    status, code, sentence = refusal(answer)
    assert (status, code, answer.get_json()["parameter"]) == (400, "bad_parameter", name)
    assert f"{name} is " in sentence
    assert len(sentence) < 300


@pytest.mark.parametrize(
    "value", ["Jane Doe", "José", "dependabot[bot]", "-john", "$(id)", "john\nroot\x00", " john ", "x" * 300]
)
def test_user_and_agent_may_be_any_text(alone: Caller, value: str) -> None:
    for name in ("user", "source"):
        parameters: dict[str, Any] = {name: value}
        assert refusal(alone.trigger(**parameters, prowjob="plain-script"))[1] == "prow_unreachable"


@pytest.mark.parametrize("nothing", ["", " ", "\n", None])
def test_an_empty_optional_value_counts_as_not_sent(alone: Caller, nothing: str | None) -> None:
    parameters = dict.fromkeys(
        ("pullrequest", "pull_sha", "base_sha", "pull_author", "force", "request_id", "source"), nothing
    )
    answer = alone.post("/manual-trigger", json={**REQUEST_BODY, "prowjob": "plain-script", **parameters})
    assert refusal(answer)[1] == "prow_unreachable"
    answer = alone.post("/manual-trigger", json={**REQUEST_BODY, "base_ref": nothing})
    assert refusal(answer)[:2] == (400, "missing_parameter")


def test_invented_methods_and_paths_are_refused_first(alone: Caller) -> None:
    answer = alone.client.open("/manual-trigger", method="PROPFIND1")
    assert refusal(answer)[:2] == (405, "method_not_allowed")
    assert answer.headers["Allow"]
    assert refusal(alone.client.get("/manual-trigger/", headers=alone.headers))[2].endswith(
        "did you mean /manual-trigger?"
    )
    registry = components_of(alone.client.application).metrics.registry
    assert "PROPFIND1" not in generate_latest(registry).decode()


def test_a_parameter_given_twice_is_refused(alone: Caller) -> None:
    answer = alone.post("/manual-trigger?user=john", json=REQUEST_BODY)
    assert refusal(answer) == (400, "bad_parameter", "user is given 2 times: give it once")
    body = json.dumps(REQUEST_BODY)[:-1] + ', "user": "alice"}'
    assert refusal(alone.post("/manual-trigger", data=body, content_type="application/json"))[1] == "bad_parameter"
    both = alone.trigger(request_id="a", headers={"Idempotency-Key": "b"})
    assert refusal(both)[2] == "request_id is given 2 times: give it once"


def test_numbers_and_truth_values_are_read_as_a_form_would_send_them(alone: Caller) -> None:
    parameters: dict[str, Any] = {"prowtype": "presubmit", "prowjob": "pull-tessops-verify"}
    for number in (7, 7.0, "7"):
        assert refusal(alone.trigger(**parameters, pullrequest=number, force=True))[1] == "prow_unreachable"


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'"x"', b"\xff", b"[" * 9999, b"{" + b'"a":{' * 9999])
def test_a_body_that_is_not_an_object_is_refused(alone: Caller, body: bytes) -> None:
    assert refusal(alone.post("/manual-trigger", data=body, content_type="application/json"))[:2] == (400, "bad_body")


def test_a_body_of_another_type_is_refused(alone: Caller) -> None:
    status, code, sentence = refusal(alone.post("/manual-trigger", data=b"<a/>", content_type="text/xml"))
    assert (status, code) == (400, "bad_body")
    assert "send a form, or application/json" in sentence


def test_a_file_is_refused(alone: Caller) -> None:
    answer = alone.post("/manual-trigger", data={"user": (BytesIO(b"john"), "user.txt")})
    assert refusal(answer)[:2] == (400, "bad_body")


def test_a_body_that_is_too_large_is_refused(alone: Caller) -> None:
    status, code, sentence = refusal(alone.trigger(source="x" * 70000))
    assert (status, code) == (413, "request_entity_too_large")
    assert "larger than 64 kB" in sentence


def test_an_escape_that_is_not_utf8_is_refused(alone: Caller) -> None:
    assert refusal(alone.post("/manual-trigger?user=%ff"))[2].startswith("'user' is not UTF-8")


@LIMITS
@given(
    name=st.sampled_from(NAMES), value=st.text(max_size=300) | st.integers() | st.floats() | st.booleans() | st.none()
)
def test_no_value_makes_the_service_fail(alone: Caller, name: str, value: object) -> None:
    answer = alone.post(
        "/manual-trigger", data=json.dumps({**REQUEST_BODY, name: value}), content_type="application/json"
    )
    assert answer.status_code in (400, 404, 422, 503)
    refusal(answer)


@LIMITS
@given(body=st.binary(max_size=300))
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_no_body_makes_the_service_fail(alone: Caller, body: bytes, kind: str) -> None:
    answer = alone.post("/manual-trigger", data=body, content_type=kind)
    assert answer.status_code == 400
    refusal(answer)
