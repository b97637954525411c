"""The client for scripts and for the commands: each request is repeated safely until the service has answered it."""

import copy
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from cimaster.cli import durations
from cimaster.cli.errors import Refused, Unreachable
from cimaster.cli.settings import DEFAULT_SERVER
from cimaster.cli.transport import Answer, Fields, NotAnswered, Transport

DEFAULT_TIMEOUT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
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
    wait: str | None
    priority: str | None
    skip_if_none: bool


@dataclass(frozen=True)
class Lease:
    """A cluster that a job has: its name, the id of the lease, and the record of the cluster as it was lent."""

    cluster: str
    id: str
    record: Mapping[str, Any]


class Client:
    """The API of one service.

    A request that gets no answer, or the answer that the service is in trouble, is repeated for `timeout` seconds.
    Changes carry a request_id, so that a repeat never changes anything twice. `notice` is called with a sentence
    before each repeat. Methods raise Refused or Unreachable.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        timeout: float = DEFAULT_TIMEOUT,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self.timeout = timeout
        self._transport = Transport(server)
        self._notice = notice or (lambda _sentence: None)

    @property
    def server(self) -> str:
        """The address of the service."""
        return self._transport.server

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
        queued: Callable[[str], None] | None = None,
        **options: Unpack[TakeOptions],
    ) -> Lease:
        """Take a cluster, and stay in the queue for as long as `wait` says.

        `queued` is called with the place in the queue each time that the service says it. If the caller gives up
        before this returns, it calls `leave` with the request_id.
        """
        values = {"job": job, "build": build, "request_id": request_id or str(uuid.uuid4()), **options}
        waits = durations.seconds(str(options.get("wait") or "0s")) or 0.0
        answer = self._repeated("POST", "/getvacant", values, max(self.timeout, waits), queued)
        return Lease(str(answer.data.get("name", "")), str(answer.data.get("leaseId", "")), answer.data)

    def finish(self, lease: Lease) -> Answer:
        """Give a cluster back; a success too if the lease was finished before."""
        return self.change("finishtest", cluster=lease.cluster, lease=lease.id)

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

    def _repeated(
        self,
        method: str,
        path: str,
        values: Mapping[str, object],
        patience: float,
        queued: Callable[[str], None] | None = None,
        *,
        plain: bool = False,
    ) -> Answer:
        """Send a request until it is answered, or until the service has been in trouble for `patience` seconds."""
        fields, pauses, deadline = _fields(values), _pauses(), time.monotonic() + patience
        while True:
            try:
                return self._transport.send(method, path, fields, plain=plain)
            except NotAnswered as error:
                trouble, pause = str(error), next(pauses)
            except Refused as refusal:
                if refusal.code == "queued":
                    if queued:
                        queued(refusal.place)
                    time.sleep(refusal.retry_after or 0)
                    pauses, deadline = _pauses(), time.monotonic() + patience
                    continue
                if not (refusal.passes or (refusal.code == "queue_full" and queued)):
                    raise
                trouble = str(refusal)
                pause = max(next(pauses), min(refusal.retry_after or 0, _LONGEST_PAUSE))
            if time.monotonic() + pause > deadline:
                raise Unreachable(trouble)
            self._notice(f"{trouble}; trying again")
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
