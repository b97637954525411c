"""Readiness, the state of each part, and the metrics."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from cimaster.manual_trigger.components import components_of
from tests.conftest import LeapingClock
from tests.manual_trigger.conftest import Caller, Start
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank


def readiness(caller: Caller) -> tuple[int, dict[str, Any]]:
    answer = caller.client.get("/readyz")
    return answer.status_code, answer.get_json()


def test_without_an_answer_from_the_api_server_it_is_not_ready(alone: Caller) -> None:
    status, body = readiness(alone)
    assert (status, body["ready"], body["configuration"], body["api"]) == (503, False, "ok", "not called yet")
    alone.trigger()
    assert "cannot be reached" in readiness(alone)[1]["api"]


def test_the_state_of_the_files_is_reported(alone: Caller, tmp_path: Path) -> None:
    body = readiness(alone)[1]
    assert (body["tokens"], body["rules"]) == ("ok: 1", "ok: 1")
    (tmp_path / "tokens").write_text("\n")
    (tmp_path / "allow").write_text("a b c\n")
    body = readiness(alone)[1]
    assert "it has no token" in body["tokens"]
    assert "line 1 has 3 words" in body["rules"]
    (tmp_path / "tokens").unlink()
    (tmp_path / "allow").write_text("")
    body = readiness(alone)[1]
    assert "does not exist" in body["tokens"]
    assert body["rules"] == "none: nothing may be started"


def test_it_is_ready_while_the_api_server_has_answered_recently(start: Start, deck: Deck, namespace: str) -> None:
    clock = LeapingClock()
    caller = start(clock=clock)
    components_of(caller.client.application).prowjobs.ping(namespace)
    status, body = readiness(caller)
    assert (status, body["ready"], body["api"], body["configuration"]) == (200, True, "ok", "ok")
    clock.leapt += 170
    assert readiness(caller)[0] == 200
    clock.leapt += 20
    assert readiness(caller)[0] == 503


def test_the_thread_notices_changes(start: Start) -> None:
    caller = start(read=False, reload_every=timedelta(seconds=1))
    refresher = components_of(caller.client.application).refresher
    assert readiness(caller)[0] == 503
    refresher.start()
    try:
        while readiness(caller)[0] != 200:
            pass
    finally:
        refresher.stop()


def metric(caller: Caller, name: str, **labels: str) -> float | None:
    registry = components_of(caller.client.application).metrics.registry
    found: float | None = registry.get_sample_value(name, labels)
    return found


def test_triggers_are_counted_by_outcome(start: Start, plank: Plank) -> None:
    caller = start()
    for changes in ({}, {}, {"base_ref": "main"}, {"user": None}):
        caller.trigger(**changes)
    caller.client.post("/manual-trigger")
    outcomes = {"created": 1, "existing": 1, "wrong_branch": 1, "missing_parameter": 1, "no_token": 1}
    for outcome, count in outcomes.items():
        assert metric(caller, "manual_trigger_triggers_total", outcome=outcome) == count, outcome
    assert metric(caller, "manual_trigger_build_id_seconds_count") == 1
    assert metric(caller, "manual_trigger_jobs") == 6
    assert (metric(caller, "manual_trigger_configuration_age_seconds") or -1) >= 0


def test_failures_are_counted(alone: Caller, deck: Deck) -> None:
    alone.trigger()
    deck.broken = True
    alone.post("/reload")
    assert metric(alone, "manual_trigger_api_errors_total", code="prow_unreachable") == 1
    assert metric(alone, "manual_trigger_configuration_reads_total", outcome="configuration_unreachable") == 1
    assert metric(alone, "manual_trigger_configuration_reads_total", outcome="good") == 1


def test_the_home_page_describes_the_service(alone: Caller) -> None:
    answer = alone.client.get("/")
    assert answer.mimetype == "text/plain"
    assert "manual-trigger service" in answer.text
