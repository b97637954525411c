"""Notices reach real receivers: each under one key, also if a receiver is away, hangs or refuses for a while."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.pool.records.outbox import Outbox
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.workers.notifier import Notifier
from tests.conditions import until
from tests.conftest import ADMIN, Add, MovableClock
from tests.notifiers.receiver import SECRET, Receiver

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with Receiver() as receiver:
        yield receiver


class File:
    """The operator's file, with the channel `hook` unless a test writes another text."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.path, self.secret = folder / "notices.ini", folder / "secret"
        self.secret.write_text(SECRET + "\n")
        self._receiver = receiver
        self.write(self.channel())

    def channel(self, name: str = "hook", url: str = "", more: str = "") -> str:
        """Return the section of a webhook."""
        url = url or self._receiver.url
        return f"[{name}]\nkind = webhook\nurl = {url}\nsecret_file = {self.secret}\ntimeout = 1s\n{more}\n"

    def write(self, text: str) -> None:
        """Write another text."""
        self.path.write_text(text)


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver) -> File:
    """The operator's file."""
    return File(tmp_path, receiver)


@pytest.fixture
def settings(settings: Settings, file: File) -> Settings:
    """Settings with the operator's file and a public address."""
    return dataclasses.replace(settings, notices_file=str(file.path), public_url="https://ci.example.com/cimaster")


@pytest.fixture
def second(settings: Settings, another_store: Store, clock: MovableClock) -> Iterator[Flask]:
    """Another replica with the same store."""
    app = create_app(settings, another_store, clock)
    components_of(app).lifecycle.start()
    yield app
    components_of(app).lifecycle.stop()


def notifier_of(app: Flask) -> Notifier:
    """Return the notifier of a replica."""
    (worker,) = (w for w in components_of(app).lifecycle.workers if isinstance(w, Notifier))
    return worker


def call(client: FlaskClient, path: str, **parameters: str) -> str:
    """Call an endpoint, which must answer with 200."""
    answer = client.post(path, data=parameters)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def quarantine(client: FlaskClient, name: str, reason: str = "flaky") -> None:
    """Quarantine a cluster, which causes one notice, and bring it back."""
    call(client, "/healthcluster", cluster=name, name=ADMIN, health="quarantined", reason=reason)
    call(client, "/healthcluster", cluster=name, name=ADMIN, health="ok")


def outbox(repository: ConfigMapRepository) -> Outbox:
    """Return the outbox as it is stored."""
    return repository.fresh().pool.outbox


def forward(app: Flask, clock: MovableClock, **duration: float) -> None:
    """Move the clock, and have the threads look at it."""
    clock.forward(**duration)
    for worker in components_of(app).lifecycle.workers:
        if hasattr(worker, "wake"):
            worker.wake()


def test_an_ended_hold_is_sent_once_and_leaves_the_outbox(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    call(client, "/holdcluster", cluster="cluster-01", name="alice", duration="1h", desc="debugging")
    forward(app, clock, minutes=31)
    until(lambda: receiver.kinds == ["hold-ending"])
    forward(app, clock, minutes=30)
    until(lambda: receiver.kinds == ["hold-ending", "hold-ended"])
    until(lambda: not outbox(repository).notices)
    event = receiver.events[-1]
    assert event["specversion"] == "1.0"
    assert event["source"] == "https://ci.example.com/cimaster"
    assert event["subject"] == "cluster-01"
    assert event["data"]["text"] == "The hold of cluster-01 by alice has ended: its time was over"
    assert event["data"]["link"] == "https://ci.example.com/cimaster/ui/cluster?name=cluster-01"
    assert receiver.unsigned == 0
    assert set(receiver.accepted.values()) == {1}
