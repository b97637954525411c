"""The configuration is read repeatedly, and on demand; if that fails, the last good one stays."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.errors import ConfigurationInvalid, ConfigurationUnreachable
from cimaster.manual_trigger.prow import config_source
from tests.conftest import LeapingClock
from tests.manual_trigger.conftest import Caller, Start, refusal
from tests.manual_trigger.deck import SAMPLE, Deck, sample
from tests.server import free_ports


def answers(caller: Caller) -> bool:
    """Say whether the service knows the job of REQUEST_BODY; it then fails because there is no cluster."""
    return refusal(caller.trigger())[1] == "prow_unreachable"


def test_reload_answers_with_the_number_of_jobs(alone: Caller, deck: Deck) -> None:
    deck.serve({**sample(), "presubmits": {}})
    answer = alone.post("/reload")
    assert (answer.status_code, answer.get_json()["success"]) == (200, True)
    assert answer.get_json()["message"] == "Prow's configuration is read: 0 presubmits, 4 postsubmits, 1 periodics"
    assert answer.get_json()["namespace"] == "ci"


BREAK: dict[str, tuple[Callable[[Deck], None], int, str]] = {
    "gone": (lambda deck: setattr(deck, "broken", True), 503, "configuration_unreachable"),
    "500": (lambda deck: setattr(deck, "status", 500), 503, "configuration_unreachable"),
    "html": (lambda deck: setattr(deck, "text", b"<html>Sign in</html>"), 502, "configuration_invalid"),
    "empty": (lambda deck: setattr(deck, "text", b""), 502, "configuration_invalid"),
}


@pytest.mark.parametrize("how", BREAK)
def test_when_deck_fails_the_last_good_configuration_stays(alone: Caller, deck: Deck, how: str) -> None:
    harm, status, code = BREAK[how]
    harm(deck)
    assert refusal(alone.post("/reload"))[:2] == (status, code)
    assert answers(alone)
    body = alone.get("/readyz").get_json()
    assert body["configuration"] != "ok"
    assert body["jobs"] == {"presubmit": 1, "postsubmit": 4, "periodic": 1}
    assert body["configuration_age"] >= 0
    deck.broken, deck.status, deck.text = False, 200, SAMPLE
    assert alone.post("/reload").status_code == 200
    assert alone.get("/readyz").get_json()["configuration"] == "ok"


@pytest.mark.parametrize("how", BREAK)
def test_without_any_configuration_requests_are_refused_with_the_reason(
    run: Start, nowhere: Path, deck: Deck, how: str
) -> None:
    harm, status, code = BREAK[how]
    harm(deck)
    caller = run(nowhere, read=False)
    assert refusal(caller.trigger())[:2] == (503, "configuration_unreachable")
    sentence = refusal(caller.post("/reload"))[2]
    assert refusal(caller.trigger()) == (status, code, sentence)
    assert refusal(caller.get("/manual-trigger/x"))[:2] == (status, code)
    assert caller.get("/readyz").status_code == 503


def test_a_job_that_was_just_added_is_found(run: Start, nowhere: Path, deck: Deck) -> None:
    clock = LeapingClock()
    caller = run(nowhere, clock=clock)
    configuration = sample()
    configuration["postsubmits"]["tess/tessops"][2]["name"] = "new"
    deck.serve(configuration)
    assert refusal(caller.trigger(prowjob="new"))[1] == "unknown_job"
    clock.leapt += 6
    assert refusal(caller.trigger(prowjob="new"))[1] == "prow_unreachable"


def test_requests_for_an_unknown_job_do_not_overload_deck(alone: Caller, deck: Deck) -> None:
    requests = deck.requests
    for _ in range(10):
        assert refusal(alone.trigger(prowjob="never"))[1] == "unknown_job"
    assert deck.requests == requests


def test_the_thread_reads_the_configuration_regularly(run: Start, nowhere: Path, deck: Deck) -> None:
    caller = run(nowhere, reload_every=timedelta(milliseconds=20))
    refresher = components_of(caller.client.application).refresher
    refresher.start()
    try:
        deck.serve({**sample(), "postsubmits": {}})
        while caller.get("/readyz").get_json()["jobs"]["postsubmit"]:
            pass
        deck.broken = True
        while caller.get("/readyz").get_json()["configuration"] == "ok":
            pass
        deck.broken = False
        while caller.get("/readyz").get_json()["configuration"] != "ok":
            pass
    finally:
        refresher.stop()


def test_a_request_that_waits_for_deck_delays_no_other(alone: Caller, deck: Deck) -> None:
    requests = deck.requests
    deck.gate.clear()
    waiting = threading.Thread(target=alone.post, args=("/reload",))
    waiting.start()
    while deck.requests == requests:
        pass
    assert answers(alone)
    deck.gate.set()
    waiting.join()


def test_a_file_is_read_instead_of_deck(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"periodics: []")
    assert config_source.fetch(str(tmp_path / "config.yaml")) == b"periodics: []"
    with pytest.raises(ConfigurationUnreachable, match="No such file"):
        config_source.fetch(str(tmp_path / "other.yaml"))


def test_a_configuration_without_end_is_not_read_to_the_end(
    tmp_path: Path, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_source, "_SIZE_LIMIT", 1000)
    (tmp_path / "config.yaml").write_bytes(b"x" * 1001)
    for where in (str(tmp_path / "config.yaml"), deck.url):
        with pytest.raises(ConfigurationInvalid, match="is larger than"):
            config_source.fetch(where)


def test_an_unreachable_deck_is_reported_with_its_address() -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}/config"
    with pytest.raises(ConfigurationUnreachable, match=f"{address} cannot be read: ConnectionError"):
        config_source.fetch(address)
