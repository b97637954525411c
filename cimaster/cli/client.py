"""The client for scripts and for the commands: each request is repeated safely until the service has answered it."""

import copy
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from cimaster.cli import durations, settings
from cimaster.cli.errors import ClientError, Refused, Unreachable
from cimaster.cli.token_file import TokenFile
from cimaster.cli.transport import Answer, Fields, NotAnswered, Transport

DEFAULT_TIMEOUT = 30.0
PASS, FAIL, ERROR = RESULTS = ("pass", "fail", "error")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_SAME_NOTICE_SECONDS = 60.0
_RANDOM = random.SystemRandom()


class TakeOptions(TypedDict, total=False):
    """The parameters of a take beside job, build and request_id, as docs/api.md describes them."""

    cluster: str | None
    purpose: str | None
    osimage: str | None
    region: str | None
    label: list[str] | tuple[str, ...]
    name: str | None
    email: str | None
    ttl: str | None
    hold_on_failure: str | None
    wait: str | None
    priority: str | None
    skip_if_none: bool


@dataclass(frozen=True)
class QueuePlace:
    """The place of a waiting request in the queue, and the seconds that it is expected to wait (None: unknown)."""

    place: str
    expected_wait: float | None = None


@dataclass(frozen=True)
class Lease:
    """A cluster that a job has: its name, the id of the lease, and the record of the cluster as it was lent."""

    cluster: str
    id: str
    record: Mapping[str, Any]


class Client:
    """The API of one service.

    A request that gets no answer, or the answer that the service is in trouble, is repeated for `timeout` seconds.
    Changes carry a request_id, so that a repeat never changes anything twice. `notice` is called with the reason of a
    repeat, again only after a minute if the reason is the same. Methods raise Refused or Unreachable.

    `token_file` is read for each request, which carries the token as `Authorization: Bearer`. Over plain http the token
    is sent to this machine only, unless `insecure_token`.
    """

    def __init__(
        self,
        server: str = settings.DEFAULT_SERVER,
        timeout: float = DEFAULT_TIMEOUT,
        notice: Callable[[str], None] | None = None,
        token_file: str | None = None,
        insecure_token: bool = False,
    ) -> None:
        self.timeout = timeout
        self._token = TokenFile(token_file) if token_file else None
        self._insecure_token = insecure_token
        self._transport = Transport(server, self._token, token_in_clear=insecure_token)
        self._notice = notice or (lambda _sentence: None)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which another client reaches the service as this one does."""
        variables = {settings.SERVER: self._transport.server}
        if self._token:
            variables[settings.TOKEN_FILE] = self._token.path
            variables[settings.INSECURE_TOKEN] = "yes" if self._insecure_token else "no"
        return variables

    def with_timeout(self, timeout: float) -> "Client":
        """Return a client on the same connections that repeats its requests for another number of seconds."""
        other = copy.copy(self)
        other.timeout = timeout
        return other

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def take(
        self,
        job: str,
        build: str,
        *,
        request_id: str | None = None,
        queued: Callable[[QueuePlace], None] | None = None,
        **options: Unpack[TakeOptions],
    ) -> Lease:
        """Take a cluster, and stay in the queue for as long as `wait` says.

        `queued` is called with the place in the queue each time that the service says it; with it, a full queue is
        tried again. If the caller gives up before this returns, it calls `leave` with the request_id.
        """
        values = {"job": job, "build": build, "request_id": request_id or str(uuid.uuid4()), **options}
        waits = durations.seconds(str(options.get("wait") or "0s")) or 0.0
        answer = self._repeated("POST", "/getvacant", values, max(self.timeout, waits), queued)
        return Lease(str(answer.data.get("name", "")), str(answer.data.get("leaseId", "")), answer.data)

    def finish(self, lease: Lease, result: str | None = None, hold: str | None = None) -> Answer:
        """Give a cluster back; a success too if the lease was finished before.

        `result` is pass, fail or error. Unless it is pass, the person who triggered the job holds the cluster for the
        time that `hold` says.
        """
        return self.change("finishtest", cluster=lease.cluster, lease=lease.id, result=result, hold=hold)

    def renew(self, lease: Lease, ttl: str | None = None) -> Answer:
        """Move the end of a lease to `ttl` from now; without it, to the lease's own ttl from now."""
        return self.change("renewlease", cluster=lease.cluster, lease=lease.id, ttl=ttl)

    def leave(self, request_id: str) -> Answer:
        """Leave the queue; a cluster that was lent to the request within the last minute goes back."""
        return self._repeated("POST", "/leavequeue", {"request_id": request_id}, self.timeout)

    def change(self, verb: str, **values: object) -> Answer:
        """Call an endpoint that changes something, such as `holdcluster`, with its parameters."""
        return self._repeated("POST", f"/{verb}", {"request_id": str(uuid.uuid4()), **values}, self.timeout)

    def read(self, path: str, **values: object) -> dict[str, Any]:
        """Read a list, such as `/clusters`, with its filters; return its JSON."""
        return self._repeated("GET", path, values, self.timeout).data

    def read_text(self, path: str, **values: object) -> str:
        """Read a list as the text that the service makes for people."""
        return self._repeated("GET", path, values, self.timeout, plain=True).text

    def pages(self, path: str, *, plain: bool = False, **values: object) -> Iterator[Answer]:
        """Read a long list, such as `/history`, page after page; with `plain`, as text or CSV."""
        while True:
            answer = self._repeated("GET", path, values, self.timeout, plain=plain)
            yield answer
            if not answer.following:
                return
            values["after"] = answer.following

    def _repeated(
        self,
        method: str,
        path: str,
        values: Mapping[str, object],
        patience: float,
        queued: Callable[[QueuePlace], None] | None = None,
        *,
        plain: bool = False,
    ) -> Answer:
        """Send a request until it is answered, or until the service has been in trouble for `patience` seconds."""
        fields, repeats = _fields(values), _Repeats(patience, self._notice)
        while True:
            try:
                return self._transport.send(method, path, fields, plain=plain)
            except NotAnswered as error:
                repeats.pause(Unreachable(str(error)))
            except Refused as refusal:
                seconds = refusal.retry_after or 0
                if refusal.code == "queued":
                    if queued:
                        queued(QueuePlace(refusal.place, refusal.expected_wait))
                    time.sleep(seconds)
                    repeats.begin()
                elif queued and refusal.code == "queue_full":
                    repeats.pause(refusal, seconds)
                elif refusal.passes:
                    repeats.pause(Unreachable(str(refusal)), min(seconds, _LONGEST_PAUSE))
                else:
                    raise


class _Repeats:
    """The repeats of one request: pauses that grow, and a notice before each try unless it says the same as before."""

    def __init__(self, patience: float, notice: Callable[[str], None]) -> None:
        self._patience = patience
        self._notice = notice
        self._noticed, self._noticed_at = "", 0.0
        self.begin()

    def begin(self) -> None:
        """Start again with a short pause and all the patience: the service has answered."""
        self._pauses = _pauses()
        self._deadline = time.monotonic() + self._patience

    def pause(self, reason: ClientError, at_least: float = 0.0) -> None:
        """Wait before the next try; raise the reason once the patience is over."""
        pause, now = max(next(self._pauses), at_least), time.monotonic()
        if now + pause > self._deadline:
            raise reason
        sentence = f"{reason}; trying again"
        if sentence != self._noticed or now - self._noticed_at >= _SAME_NOTICE_SECONDS:
            self._noticed, self._noticed_at = sentence, now
            self._notice(sentence)
        time.sleep(pause)


def _pauses() -> Iterator[float]:
    """Yield the seconds before each repeat: they double up to 5 s, with chance in them so that callers spread out."""
    longest = _FIRST_PAUSE
    while True:
        yield longest * _RANDOM.uniform(0.5, 1)
        longest = min(2 * longest, _LONGEST_PAUSE)


def _fields(values: Mapping[str, object]) -> Fields:
    """Return the parameters that are given, in the API's form: flags as `true`, a list as a repeated parameter."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, list | tuple):
            pairs += [(name, str(item)) for item in value]
        elif value is True:
            pairs.append((name, "true"))
        elif value is not None and value is not False and value != "":
            pairs.append((name, str(value)))
    return pairs
