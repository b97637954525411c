"""Notices by real replicas: one is killed while it sends, and a bad file stops the start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conditions import until
from tests.notifiers.receiver import SECRET, Receiver
from tests.process.conftest import Start, fill
from tests.process.test_creations import BRIEF_CLAIMS
from tests.replica import Replica


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def environment(environment: dict[str, Any], receiver: Receiver, tmp_path: Path) -> dict[str, Any]:
    """The settings of a replica with one channel."""
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "notices.ini"
    file.write_text(f"[hook]\nkind = webhook\nurl = {receiver.url}\nsecret_file = {tmp_path}/secret\ntimeout = 20s\n")
    return {**environment, "CIMASTER_NOTICES_FILE": str(file)}


def quarantine(replica: Replica, number: int) -> None:
    """Quarantine a cluster, and bring it back."""
    for health in ("quarantined", "ok"):
        answer = replica.get(
            "/healthcluster", cluster="cluster-000", name="root", health=health, reason=f"number {number}"
        )
        assert answer.ok, answer.text


def test_no_notice_is_lost_when_the_sending_replica_is_killed(start: Start, receiver: Receiver) -> None:
    doomed = start("a", BRIEF_CLAIMS)
    fill(doomed, 2)
    receiver.hang.clear()
    for number in range(5):
        quarantine(doomed, number)
    until(lambda: receiver.bodies)
    doomed.server.crash()
    receiver.hang.set()
    start("b", BRIEF_CLAIMS)
    until(lambda: len(receiver.events) == 5)
    assert [event["data"]["reason"] for event in receiver.events] == [f"number {number}" for number in range(5)]
    assert len(receiver.accepted) == 5
    assert receiver.unsigned == 0


def test_a_bad_file_of_channels_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "notices.ini").write_text("[hook]\nkind = fax\n")
    started = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:cimaster.gunicorn_conf"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CIMASTER_NOTICES_FILE": str(tmp_path / "notices.ini")},
    )
    assert started.returncode != 0
    assert "[hook] has no known kind: expected kind = slack, webhook, mail" in started.stderr
