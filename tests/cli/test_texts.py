"""What the client computes by itself: durations, text for terminals, tables, and the job of a CI system."""

import json

import pytest

from cimaster.cli import durations, settings
from cimaster.cli.errors import Refused
from cimaster.cli.listings import CLUSTERS, CREATIONS, HISTORY, POLICIES, PURPOSES, QUEUE, Listing, as_json
from cimaster.cli.settings import CIJob
from cimaster.cli.terminal_text import neutral, neutral_lines


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("5", None), ("", None)]
)
def test_durations_are_those_of_the_api(text: str, seconds: float | None) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (61, "1m 1s"), (3725, "1h 2m")])
def test_a_time_is_told_briefly(seconds: float, text: str) -> None:
    assert durations.words(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "1 min"), (61, "2 min"), (3600, "1 h"), (3725, "1 h 3 min")])
def test_an_expected_time_is_in_minutes(seconds: float, text: str) -> None:
    assert durations.about(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größe 集群", "größe 集群"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\nc", r"a\rb\nc"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
    ],
)
def test_text_cannot_act_on_a_terminal(text: str, shown: str) -> None:
    assert neutral(text) == shown


def test_lines_stay_lines() -> None:
    assert neutral_lines("one\ntwo\x07\n") == "one\ntwo\\x07\n"


@pytest.mark.parametrize("listing", [CLUSTERS, QUEUE, HISTORY, CREATIONS, PURPOSES, POLICIES])
def test_odd_records_are_listed(listing: Listing) -> None:
    fields = {
        "name": "\x1b",
        "health": "\x1b",
        "results": [1, {"result": "\x1b"}],
        "holdWith": ["\x1b"],
        "says": "\x1b",
    }
    more = {"labels": [1], "ask": None, "id": 5, "expectedWait": float("nan"), "purpose": "\x1b"}
    odd = {listing.member: [{}, {**fields, **more}, "text", None]}
    assert len(listing.wide(odd).splitlines()) == 3
    assert len(listing.names(odd).splitlines()) == 2
    assert "\x1b" not in listing.wide(odd) + listing.names(odd) + as_json(odd)
    assert listing.wide({}).count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, CIJob()),
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_JOB": "e2e", "GITHUB_RUN_ID": "1", "GITHUB_ACTOR": "ann"},
            CIJob("e2e", "1", "ann"),
        ),
        ({"GITLAB_CI": "true", "CI_JOB_NAME": "e2e", "CI_JOB_ID": "2"}, CIJob("e2e", "2")),
        ({"JENKINS_URL": "https://ci/", "JOB_NAME": "e2e", "BUILD_NUMBER": "3"}, CIJob("e2e", "3")),
        (
            {
                "PROW_JOB_ID": "x",
                "JOB_NAME": "e2e",
                "BUILD_ID": "4",
                "JOB_SPEC": json.dumps({"refs": {"pulls": [{"author": "bob"}]}}),
            },
            CIJob("e2e", "4", "bob"),
        ),
        ({"PROW_JOB_ID": "x", "JOB_NAME": "e2e", "BUILD_ID": "4", "JOB_SPEC": "{"}, CIJob("e2e", "4")),
        ({"GITLAB_CI": "true", "CI_JOB_NAME": "e2e", "CI_JOB_ID": "2", "CIMASTER_JOB": "own"}, CIJob("own", "2")),
        ({"JOB_NAME": "no CI system", "BUILD_ID": "5"}, CIJob()),
    ],
)
def test_the_ci_system_names_the_job(variables: dict[str, str], job: CIJob) -> None:
    assert settings.ci_job(variables) == job


@pytest.mark.parametrize(
    ("code", "status", "exit_status"),
    [
        ("no_vacant_cluster", 404, 4),
        ("no_such_cluster_kind", 404, 1),
        ("bad_parameter", 400, 2),
        ("lease_over", 410, 1),
    ],
)
def test_a_refusal_has_its_exit_status(code: str, status: int, exit_status: int) -> None:
    assert Refused("why", code, status).exit_status == exit_status


@pytest.mark.parametrize(
    ("code", "status", "passes"),
    [
        ("store_unavailable", 503, True),
        ("", 502, True),
        ("", 429, True),
        ("queue_full", 429, False),
        ("provisioner_timeout", 504, False),
        ("lease_over", 410, False),
    ],
)
def test_only_trouble_that_passes_is_tried_again(code: str, status: int, passes: bool) -> None:
    assert Refused("why", code, status).passes == passes
