"""Three replicas send notices to receivers that fail in every way, while replicas are killed and lose answers.

The truth is what etcd received: each notice that it ever had must have reached each of its receivers, under one key.
"""

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.conditions import until
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.kube.recorded_notices import JudgedNotices
from tests.kube.stored_versions import StoredVersions
from tests.kube.test_archive import fill, running
from tests.notifiers.mail_server import MailServer
from tests.notifiers.receiver import LOST, OK, SECRET, Answer, Delivery, Receiver
from tests.replica import Replica

pytestmark = pytest.mark.slow

MAILBOXES = {"mail": "ops@example.com", "mail/alice": "alice@example.com"}
TIMEOUT = 2.0  # seconds of the channels, except for the one that hangs all the time
HANGS = 20.0  # seconds of that one
CAUSED = 3  # quarantines during each fault
TAKEN_OVER = 1.0  # seconds; a repeat that comes later may be that of a replica that took over from a killed one


class Receivers:
    """The receivers: a webhook `hook` and a mail server, which fail now and then, and a webhook `slow`, which hangs."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.hook = stack.enter_context(Receiver())
        self.slow = stack.enter_context(Receiver(channel="slow"))
        self.mail = stack.enter_context(MailServer())
        self.slow.hang.clear()
        self.file = folder / "notices.ini"
        self.file.write_text(self._definitions(folder / "secret"))

    def _definitions(self, secret: Path) -> str:
        secret.write_text(SECRET)
        return f"""
[hook]
kind = webhook
url = {self.hook.url}
secret_file = {secret}
timeout = {TIMEOUT:.0f}s

[slow]
kind = webhook
url = {self.slow.url}
secret_file = {secret}
timeout = {HANGS:.0f}s
notices = quarantined

[mail]
kind = mail
server = localhost:{self.mail.port}
sender = ci@example.com
tls = none
to = {MAILBOXES["mail"]}
timeout = {TIMEOUT:.0f}s

[people]
alice = mail {MAILBOXES["mail/alice"]}
"""

    @property
    def deliveries(self) -> list[Delivery]:
        """What all of them accepted."""
        return [*self.hook.deliveries, *self.slow.deliveries, *self.mail.deliveries]

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections."""
        self.hook.stop()
        self.mail.stop()
        yield
        self.hook.start()
        self.mail.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Accept connections, and answer only after the block."""
        ended = threading.Event()
        self.hook.hang.clear()
        self.mail.refuse = lambda _command: "" if ended.wait() else "421 still waiting"
        yield
        self.hook.hang.set()
        self.mail.refuse = lambda _command: ""
        ended.set()

    @contextmanager
    def answering(self, answer: Answer, reply: str) -> Iterator[None]:
        """Answer each webhook and each command of a mail in this way."""
        self.hook.answer, self.mail.refuse = lambda _path: answer, lambda _command: reply
        yield
        self.hook.answer, self.mail.refuse = lambda _path: OK, lambda _command: ""


class Callers:
    """An admin, a person and a job, each of whom repeats a request at any replica until there is an answer."""

    def __init__(self, replicas: list[Replica]) -> None:
        self._replicas = replicas
        self._over = threading.Event()
        self._job = threading.Thread(target=self._take_and_finish, name="job")
        self._random = random.Random(14)
        self.reasons: list[str] = []  # of the quarantines
        self.takes: list[float] = []  # seconds that each took, without those that a killed replica did not answer

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Take clusters and give them back for as long as the block runs."""
        self._job.start()
        try:
            yield
        finally:
            self._over.set()
            self._job.join()

    def _take_and_finish(self) -> None:
        for build in itertools.count(1):
            if self._over.wait(0.2):
                return
            taken, seconds = self._ask("/getvacant", job="e2e", build=str(build))
            self.takes.append(seconds)
            self._ask("/finishtest", cluster=taken, job="e2e", build=str(build))

    def quarantine(self) -> None:
        """Quarantine a cluster for its own reason, and bring it back."""
        cluster, reason = f"cluster-{len(self.reasons) + 1:04}", f"number {len(self.reasons)}"
        self._ask("/healthcluster", cluster=cluster, name="root", health="quarantined", reason=reason)
        self._ask("/healthcluster", cluster=cluster, name="root", health="ok")
        self.reasons.append(reason)

    def hold(self) -> None:
        """Hold a cluster for so short a time that the hold ends soon."""
        self._ask("/holdcluster", cluster="any", name="alice", duration="2s")

    def _ask(self, path: str, **parameters: str) -> tuple[str, float]:
        """Return the answer to a request, and the seconds that it took."""
        identity = str(uuid.uuid4())
        while True:
            replica, began = self._random.choice(self._replicas), time.monotonic()
            try:
                answer = requests.get(f"{replica.url}{path}", {**parameters, "request_id": identity}, timeout=HANGS)
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                return answer.text.strip(), time.monotonic() - began
            assert answer.status_code in (429, 503), answer.text


def restart_after_kill(replica: Replica) -> None:
    """Kill a replica, and start it again."""
    replica.server.crash()
    replica.start()


def disturb(receivers: Receivers, callers: Callers, replicas: list[Replica], networks: list[FaultyServer]) -> None:
    """Cause notices while the receivers fail in each way, and while one replica after the other is killed."""
    faults = [
        receivers.down(),
        receivers.hanging(),
        receivers.answering((500, {}), "451 try again later"),
        receivers.answering((429, {"Retry-After": "2"}), "421 too many connections"),
        receivers.answering(LOST, ""),
    ]
    for number, fault in enumerate(faults):
        with fault:
            callers.hold()
            for _ in range(CAUSED):
                callers.quarantine()
            networks[number % 3].script.append("lose_after")
            restart_after_kill(replicas[number % 3])
            callers.quarantine()


def delivered(stored: StoredVersions) -> bool:
    """Say whether the outbox is empty."""
    return not stored.up_to_now()[-1].pool().outbox.notices


def early_repeats(judged: JudgedNotices) -> list[tuple[Delivery, Delivery]]:
    """Return the repeats although the sender had its answer, and had the claim on the channel.

    Those of the receiver that hangs do not count: the brief claims of this test end before its channel's time-out.
    """
    return [
        (first, repeat)
        for first, repeat in judged.repeats
        if first.destination != "slow"
        and not first.answer_lost
        and first.accepted - first.arrived < TIMEOUT / 2
        and repeat.arrived - first.accepted < TAKEN_OVER
    ]


def test_no_notice_is_lost_while_receivers_and_replicas_fail(control_plane: ControlPlane, tmp_path: Path) -> None:
    namespace = control_plane.namespace()
    control_plane.apply(namespace)
    fill(control_plane, namespace)
    with ExitStack() as stack:
        receivers = Receivers(stack, tmp_path)
        stored = stack.enter_context(StoredVersions(control_plane.etcd_url, namespace))
        replicas, networks = stack.enter_context(running(control_plane, namespace, tmp_path, str(receivers.file)))
        callers = Callers(replicas)
        with callers.taking():
            began = time.monotonic()
            callers.quarantine()
            until(lambda: receivers.slow.bodies and receivers.hook.deliveries and receivers.mail.deliveries)
            assert time.monotonic() - began < HANGS  # the channel that hangs delays no other
            disturb(receivers, callers, replicas, networks)
            assert not receivers.slow.deliveries
            receivers.slow.hang.set()
        until(lambda: delivered(stored))
        as_of = time.monotonic()
        judged = JudgedNotices(stored.up_to_now(), receivers.deliveries, as_of, MAILBOXES)
    assert judged.problems == []
    quarantines = Counter(each.get_text("reason") for each in judged.recorded.values() if each.kind == "quarantined")
    assert quarantines == Counter(callers.reasons)
    assert "hold-ended" in receivers.hook.kinds
    assert {delivery.destination for delivery in receivers.mail.deliveries} == {*MAILBOXES.values()}
    assert early_repeats(judged) == []
    assert receivers.hook.unsigned == receivers.slow.unsigned == 0
    assert max(callers.takes) < HANGS / 2
