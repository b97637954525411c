"""Notices reach real receivers: each under one key, also if a receiver is away, hangs or refuses for a while."""

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import prometheus_client
import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.pool import Answer, Pool
from cimaster.pool.decisions.notices import MOST_NOTICES
from cimaster.pool.records.creation import Creation
from cimaster.pool.records.notice import Notice
from cimaster.pool.records.outbox import ChannelState, NoticeState, Outbox
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.workers.notifier import Notifier
from tests.checks.raw_server import answering
from tests.conditions import until
from tests.conftest import ADMIN, Add, MovableClock
from tests.notifiers.mail_server import MailServer
from tests.notifiers.receiver import OK, SECRET, Receiver

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

    def channel(self, name: str = "hook", url: str = "", more: str = "", timeout: str = "20s") -> str:
        """Return the section of a webhook; with a brief time-out, a busy machine may cause a repeat."""
        url = url or self._receiver.url
        return f"[{name}]\nkind = webhook\nurl = {url}\nsecret_file = {self.secret}\ntimeout = {timeout}\n{more}\n"

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


def has_tried(repository: ConfigMapRepository, tries: int) -> bool:
    """Say whether the channel has failed this often."""
    return outbox(repository).channel("hook").tries >= tries


def metrics_text(client: FlaskClient) -> str:
    """Return the metrics of the replica."""
    registry = components_of(client.application).metrics.registry
    return prometheus_client.generate_latest(registry).decode()


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


def test_each_cause_makes_a_notice(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01")
    call(client, "/getvacant", job="e2e", build="7", name="carol")
    waits = client.post("/holdcluster", data={"cluster": "any", "name": "alice", "wait": "2d"})
    assert waits.status_code == 202, waits.text
    forward(app, clock, minutes=11)
    until(lambda: receiver.kinds == ["none-vacant"])
    forward(app, clock, hours=8)
    until(lambda: receiver.kinds == ["none-vacant", "lease-overdue"])
    call(client, "/finishtest", cluster="cluster-01", job="e2e", build="7")
    until(lambda: receiver.kinds[2:] == ["your-turn"])
    call(client, "/releasecluster", cluster="cluster-01", name="alice")
    until(lambda: receiver.kinds[3:] == ["vacant-again"])
    call(client, "/healthcluster", cluster="cluster-01", name=ADMIN, health="quarantined", reason="no network")
    until(lambda: receiver.kinds[4:] == ["quarantined"])
    texts = [event["data"]["text"] for event in receiver.events]
    assert texts[1].startswith("cluster-01 is overdue: e2e #7 for carol has had it since ")
    assert texts[2].startswith("alice now holds cluster-01 until ")
    assert texts[4] == "cluster-01 is quarantined by root: no network"
    until(lambda: not outbox(repository).notices)
    assert set(receiver.accepted.values()) == {1}


def test_a_failed_creation_makes_a_notice(client: FlaskClient, repository: ConfigMapRepository, file: File) -> None:
    file.write(file.channel(more="notices = creation-failed\nquiet = Mon-Sun 00:00-24:00"))
    with_open_creation(repository)
    repository.update(fail_creations)
    (notice,) = outbox(repository).notices
    assert (notice.kind, notice.person, notice.purpose) == ("creation-failed", "john", "tess-ci")


def with_open_creation(repository: ConfigMapRepository) -> None:
    """Add a creation that is requested."""
    fields = {"id": "c1", "state": "requested", "purpose": "tess-ci", "user": "john", "job": "create"}
    repository.update(lambda pool, _now: (pool.with_creations((Creation.new(fields),)), Answer("")))


def fail_creations(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
    """Let every creation fail."""
    return pool.with_creations(tuple(c.failed(now, "refused", "no quota") for c in pool.creations)), Answer("")


def test_a_receiver_that_is_down_for_an_hour_gets_each_notice_once(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    receiver.stop()
    for reason in ("first", "second", "third"):
        quarantine(client, "cluster-01", reason)
    until(lambda: outbox(repository).channel("hook").tries)
    for tries in range(2, 8):
        forward(app, clock, minutes=10)
        until(partial(has_tried, repository, tries))
    assert len(outbox(repository).notices) == 3
    client.set_cookie("cimaster_name", ADMIN)
    fragment = client.get("/ui/fragments/notices").text
    assert "127.0.0.1 gave no answer (ConnectionError). 3 waiting; the next try is at " in fragment
    receiver.start()
    forward(app, clock, minutes=10)
    until(lambda: not outbox(repository).notices)
    assert [event["data"]["reason"] for event in receiver.events] == ["first", "second", "third"]
    assert set(receiver.accepted.values()) == {1}
    assert outbox(repository).state.channels == {}


def test_a_receiver_that_hangs_delays_no_other(
    client: FlaskClient, add: Add, receiver: Receiver, repository: ConfigMapRepository, file: File
) -> None:
    with Receiver() as hanging:
        hanging.hang.clear()
        file.write(file.channel("hanging", hanging.url, timeout="1s") + file.channel())
        add("cluster-01", "cluster-02")
        quarantine(client, "cluster-01")
        until(lambda: receiver.kinds == ["quarantined"])
        until(lambda: "no answer" in outbox(repository).channel("hanging").failure)
        quarantine(client, "cluster-02")
        until(lambda: receiver.kinds == ["quarantined"] * 2)
        until(lambda: all(notice.destinations == ("hanging",) for notice in outbox(repository).notices))


def test_a_receiver_that_sends_byte_by_byte_is_left(
    client: FlaskClient, add: Add, repository: ConfigMapRepository, file: File, receiver: Receiver
) -> None:
    ended = threading.Event()

    def trickle(connection: socket.socket, _head: str) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n")
        while not ended.wait(0.2):
            connection.sendall(b"X-Slow: yes\r\n")

    with answering(trickle) as port:
        file.write(file.channel("slow", f"http://127.0.0.1:{port}/", timeout="1s") + file.channel())
        add("cluster-01", "cluster-02")
        quarantine(client, "cluster-01")
        until(lambda: receiver.kinds == ["quarantined"])
        until(lambda: "no answer within" in outbox(repository).channel("slow").failure)
        ended.set()


def test_an_error_is_retried_and_a_pause_of_the_receiver_kept(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    receiver.answer = lambda _path: (500, {})
    quarantine(client, "cluster-01")
    until(lambda: outbox(repository).channel("hook").failure == "127.0.0.1 answered 500")
    receiver.answer = lambda _path: (429, {"Retry-After": "1800"})
    forward(app, clock, seconds=11)
    until(lambda: outbox(repository).channel("hook").failure == "127.0.0.1 answered 429")
    until_next = outbox(repository).channel("hook").next_try
    assert until_next
    assert timedelta(minutes=29) < until_next - clock() <= timedelta(minutes=31)
    receiver.answer = lambda _path: OK
    forward(app, clock, minutes=31)
    until(lambda: not outbox(repository).notices)
    assert list(receiver.accepted.values()) == [1]


def test_a_refused_notice_delays_no_other_and_is_given_up_after_a_day(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    receiver.answer = lambda _path: (400, {}) if "bad" in receiver.bodies[-1]["data"].get("reason", "") else OK
    quarantine(client, "cluster-01", "bad")
    until(lambda: outbox(repository).channel("hook").tries)
    quarantine(client, "cluster-01", "good")
    forward(app, clock, minutes=10)
    until(lambda: receiver.kinds == ["quarantined"])
    forward(app, clock, days=1)
    until(lambda: not outbox(repository).notices)
    assert outbox(repository).channel("hook").given_up == 1
    assert "given up" not in client.get("/ui/admin").text
    client.set_cookie("cimaster_name", ADMIN)
    page = client.get("/ui/admin").text
    assert "that were given up after failing for a day: 1 (127.0.0.1 answered 400)." in page
    quarantine(client, "cluster-01", "good again")
    forward(app, clock, minutes=10)
    until(lambda: len(receiver.events) == 2)
    until(lambda: outbox(repository).state.channels == {})


def test_two_replicas_send_each_notice_once(
    app: Flask, second: Flask, client: FlaskClient, add: Add, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    for number in range(10):
        quarantine(client if number % 2 else second.test_client(), "cluster-01", str(number))
    until(lambda: len(receiver.events) == 10 and not outbox(repository).notices)
    assert set(receiver.accepted.values()) == {1}
    assert [event["data"]["reason"] for event in receiver.events] == [str(number) for number in range(10)]


def test_another_replica_goes_on_after_the_end_of_a_claim(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    lost = {"hook": ChannelState("a replica that was killed", clock() + timedelta(seconds=60))}
    claimed = Outbox(state=NoticeState(channels=lost))
    repository.update(lambda pool, _now: (dataclasses.replace(pool, outbox=claimed), Answer("")))
    quarantine(client, "cluster-01")
    for _ in range(2):
        seen = repository.change_count
        notifier_of(app).wake()
        repository.wait_for_change(0.5, seen)
    assert receiver.events == []
    forward(app, clock, seconds=61)
    until(lambda: receiver.kinds == ["quarantined"])


def test_quiet_hours_and_a_digest_collect_notices(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, receiver: Receiver, file: File
) -> None:
    file.write(file.channel(more="digest = 30m"))
    add("cluster-01", "cluster-02")
    quarantine(client, "cluster-01", "first")
    quarantine(client, "cluster-01", "second")
    forward(app, clock, minutes=29)
    quarantine(client, "cluster-02", "third")
    assert receiver.bodies == []
    forward(app, clock, minutes=2)
    until(lambda: len(receiver.events) == 3)
    assert len(receiver.bodies) == 1
    assert receiver.headers[0]["content-type"].startswith("application/cloudevents-batch+json")
    assert receiver.unsigned == 0
    file.write(file.channel(more=f"quiet = {quiet_for_an_hour(clock)}"))
    quarantine(client, "cluster-01", "at night")
    for _ in range(2):
        notifier_of(app).wake()
    assert len(receiver.bodies) == 1
    forward(app, clock, hours=2)
    until(lambda: len(receiver.events) == 4)


def quiet_for_an_hour(clock: MovableClock) -> str:
    """Return hours of the week that have begun and end within about an hour, on each day."""
    begins, ends = clock() - timedelta(minutes=1), clock() + timedelta(hours=1)
    return f"Mon-Sun {begins:%H:%M}-{ends:%H:%M}"


@pytest.fixture
def no_channels(file: File) -> None:
    """A file without channels; name it before `app`, so that it is there when the application starts."""
    file.write("# no channel\n")


def test_without_a_channel_no_byte_of_the_object_changes(
    no_channels: None, app: Flask, client: FlaskClient, add: Add, clock: MovableClock, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    call(client, "/holdcluster", cluster="cluster-01", name="alice", duration="1h")
    forward(app, clock, hours=2)
    until(lambda: "hold ended" in client.get("/history").text)
    assert not [key for key in repository.fresh().object.data if key.startswith("notice")]


def test_the_outbox_is_bounded_and_what_it_drops_is_counted(
    client: FlaskClient, add: Add, repository: ConfigMapRepository, file: File
) -> None:
    file.write(file.channel(more="digest = 1d"))
    add("cluster-01", "cluster-02")
    for number in range(MOST_NOTICES + 3):
        quarantine(client, "cluster-01", str(number))
    notices = outbox(repository).notices
    assert [notice.get_text("reason") for notice in notices] == [str(n) for n in range(3, MOST_NOTICES + 3)]
    counted = 'cimaster_notices_total{channel="hook",outcome="given_up"} 3.0'
    assert counted in metrics_text(client)


def test_a_broken_notice_is_kept_and_stops_no_other(
    client: FlaskClient, add: Add, receiver: Receiver, repository: ConfigMapRepository
) -> None:
    add("cluster-01", "cluster-02")
    broken = '{"id": "n1", "kind": "party", "sendTo": 7}'
    stored = Outbox((Notice.parse(broken, json.loads(broken)),))
    repository.update(lambda pool, _now: (dataclasses.replace(pool, outbox=stored), Answer("")))
    quarantine(client, "cluster-01")
    until(lambda: receiver.kinds == ["quarantined"])
    until(lambda: len(outbox(repository).notices) == 1)
    assert outbox(repository).notices[0].text == broken
    assert outbox(repository).notices[0].fault.startswith("'kind' is none of ")


def test_a_channel_that_is_removed_drops_its_notices(
    app: Flask, client: FlaskClient, add: Add, receiver: Receiver, repository: ConfigMapRepository, file: File
) -> None:
    file.write(file.channel("old", more="digest = 1d"))
    add("cluster-01", "cluster-02")
    quarantine(client, "cluster-01")
    assert len(outbox(repository).notices) == 1
    file.write(file.channel())
    until(lambda: not outbox(repository).notices)
    assert receiver.bodies == []


def test_only_the_wanted_notices_reach_a_channel(
    client: FlaskClient, add: Add, receiver: Receiver, repository: ConfigMapRepository, file: File
) -> None:
    other = file.channel("other", more="purposes = tnet-ci\nnotices = quarantined")
    file.write(file.channel(more="purposes = tess-ci\nnotices = quarantined") + other)
    add("cluster-01", "cluster-02")
    add("cluster-03", "cluster-04", purpose="tnet-ci", osimage="flatcar")
    quarantine(client, "cluster-03")
    until(lambda: len(receiver.events) == 1 and not outbox(repository).notices)
    assert receiver.events[0]["data"]["purpose"] == "tnet-ci"
    assert list(receiver.accepted.values()) == [1]


def test_a_person_gets_a_mail_about_their_hold(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, repository: ConfigMapRepository, file: File
) -> None:
    with MailServer() as server:
        mail = f"[mail]\nkind = mail\nserver = localhost:{server.port}\nsender = ci@example.com\ntls = none\n"
        file.write(f"{mail}[people]\nalice = mail alice@example.com\n")
        add("cluster-01", "cluster-02", "cluster-03")
        call(client, "/holdcluster", cluster="cluster-01", name="Alice", duration="1h")
        call(client, "/holdcluster", cluster="cluster-02", name="bob", duration="1h")
        forward(app, clock, minutes=61)
        until(lambda: server.mails and not outbox(repository).notices)
    ((recipients, message),) = server.mails
    assert recipients == ["alice@example.com"]
    assert message["Subject"].strip() == "[CIMaster] The hold of cluster-01 by Alice has ended: its time was over"


def test_a_secret_is_in_no_log_and_no_record(
    client: FlaskClient, add: Add, repository: ConfigMapRepository, file: File, caplog: pytest.LogCaptureFixture
) -> None:
    address = file.path.with_name("address")
    address.write_text("http://127.0.0.1:9/services/T0/very-secret\n")
    file.write(f"[chat]\nkind = slack\nurl_file = {address}\n")
    add("cluster-01", "cluster-02")
    quarantine(client, "cluster-01")
    until(lambda: outbox(repository).channel("chat").failure.startswith("127.0.0.1 gave no answer"))
    assert "very-secret" not in caplog.text + json.dumps(dict(repository.fresh().object.data))
