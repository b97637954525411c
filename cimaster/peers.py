"""Replicas that want to write at once pass their changes on to the one that wrote last, which writes for all.

One write then carries everybody's changes, as within one process, and nobody has to read what the others wrote. A
replica that does not answer is left alone, and its changes are decided here: an id that was drawn with each of them
tells whether it carried them out after all. So this is never needed for safety, only for speed.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from urllib3.util import wait_for_read

from cimaster import errors
from cimaster.attempts import NEVER, Decision, Pending, Results
from cimaster.clock import Clock
from cimaster.inbox import Inbox
from cimaster.metrics import Metrics
from cimaster.pool import Answer
from cimaster.pool.cluster import Cluster
from cimaster.pool.commands import Command, to_json

PATH = "/peer/v1/changes"
ANSWER_WITHIN = 2.5  # seconds after which the replica that writes gives up
_CONNECT, _ANSWER = 0.5, ANSWER_WITHIN + 0.5  # seconds to wait for a connection, and for an answer on it
_LEFT_ALONE = 5.0  # seconds after a failure in which a replica gets nothing more
_AT_ONCE = 2  # requests on their way: while one waits for its write, those who come meanwhile go with the next
_REFUSALS = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
_log = logging.getLogger(__name__)

Outcome = tuple[Answer | errors.Refusal, int]


class PeerFailed(Exception):
    """No answer that tells what became of the changes: they were carried out or not."""


class Peers:
    """Passes changes on; `came_back` is told of those that were, and of what must be undone."""

    def __init__(
        self, own_address: str, metrics: Metrics, clock: Clock, inbox: Inbox,
        came_back: Callable[[Sequence[Pending], Sequence[Pending]], None],
    ) -> None:  # fmt: skip
        self._own_address, self._metrics, self._clock = own_address, metrics, clock
        self._inbox, self._lock, self._came_back = inbox, inbox.lock, came_back
        self._idle: SimpleQueue[tuple[str, HTTPConnection]] = SimpleQueue()
        self._senders = ThreadPoolExecutor(_AT_ONCE, "peers")
        self._free = _AT_ONCE
        self._failed: dict[str, float] = {}

    def stop(self) -> None:
        """Wait for what is on its way."""
        self._senders.shutdown()
        while not self._idle.empty():
            self._idle.get()[1].close()

    def may_ask(self, address: str) -> bool:
        """Say whether a replica is worth asking: not ourselves, and none that failed just now."""
        failed = self._failed.get(address, float("-inf"))
        reachable = self._own_address and address and address != self._own_address
        return bool(reachable) and self._clock.monotonic() - failed > _LEFT_ALONE

    def pass_on(self, address: str, batch: Sequence[Pending]) -> int:
        """Send a replica what can be passed on, unless as much is on its way already as may be; return how many."""
        leaving = [pending for pending in batch if pending.may_be_passed_on]
        if not leaving or not self._free:
            return 0
        with self._lock:
            self._free -= 1
            for pending in leaving:
                pending.sent = pending.away = True
            self._inbox.clean()  # before one of them can come back: it would be there twice
        self._senders.submit(self._carry, address, leaving)
        return len(leaving)

    def _carry(self, address: str, pendings: list[Pending]) -> None:
        try:
            outcomes = self._ask(address, [p.decide for p in pendings if isinstance(p.decide, Command)])
        except PeerFailed as failed:
            _log.warning("changes that were passed on are decided here: %s", failed)
            outcomes = [(errors.StoreTrouble(str(failed)), 0)] * len(pendings)
        with self._lock:
            self._free += 1
            undo = [
                change
                for pending, outcome in zip(pendings, outcomes, strict=True)
                for change in _settle(pending, *outcome)
            ]
        now = self._clock.monotonic()
        self._came_back(pendings, [Pending(change, now, NEVER) for change in undo])

    def _ask(self, address: str, commands: Sequence[Command]) -> list[Outcome]:
        try:
            outcomes = [_outcome(told) for told in self._post(address, [to_json(command) for command in commands])]
        except Exception as error:  # whatever it is: who waits must not be forgotten
            self._note_failure(address, len(commands))
            raise PeerFailed(f"{address}: {error}") from error
        if any(isinstance(result, errors.StoreTrouble) for result, _ in outcomes):
            self._note_failure(address, len(commands))  # it answers, and cannot write: another one should
        else:
            self._metrics.passed_on.labels("answered").inc(len(commands))
        return outcomes

    def _note_failure(self, address: str, commands: int) -> None:
        self._metrics.passed_on.labels("failed").inc(commands)
        self._failed[address] = self._clock.monotonic()

    def _post(self, address: str, changes: list[dict[str, Any]]) -> Any:
        connection = self._connection(address)
        try:
            connection.request("POST", PATH, json.dumps(changes), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.put((address, connection))
        if answer.status != 200:
            raise PeerFailed(f"status {answer.status}")
        told = json.loads(body)
        if len(told) != len(changes):
            raise PeerFailed(f"it told of {len(told)} changes, not of {len(changes)}")
        return told

    def _connection(self, address: str) -> HTTPConnection:
        """Return an idle connection that is still open, or a new one; a client's pool would cost twice as much."""
        with suppress(Empty):
            while True:
                where, connection = self._idle.get_nowait()
                if where == address and connection.sock and not wait_for_read(connection.sock, timeout=0):
                    return connection
                connection.close()
        url = urlsplit(address)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=_CONNECT)
        connection.connect()
        connection.sock.settimeout(_ANSWER)
        return connection


def _settle(pending: Pending, result: Answer | errors.Refusal, commit: int) -> Iterator[Decision]:
    """Give a caller its answer; yield what must be undone because the caller was told that nobody knows."""
    pending.sent = pending.away = False
    if isinstance(result, errors.StoreTrouble) and isinstance(pending.decide, Command):
        pending.decide = pending.decide.repeated()  # not carried out, or nobody knows
        in_vain = pending.settled
    else:
        in_vain = not pending.settle(result, commit) and isinstance(result, Answer)
    if in_vain and pending.undo and isinstance(pending.error, errors.OutcomeUnknown):
        yield pending.undo


def told(results: Results, commits: Sequence[int]) -> list[dict[str, Any]]:
    """Return results as JSON has them, for the replica that passed the changes on."""
    return [_told(result, commit) for (_, result), commit in zip(results, commits, strict=True)]


def _told(result: Answer | BaseException, commit: int) -> dict[str, Any]:
    if isinstance(result, errors.Refusal):
        return {
            "commit": commit, "code": result.code, "sentence": result.sentence, "retry_after": result.retry_after,
            "facts": result.facts,
        }  # fmt: skip
    if not isinstance(result, Answer):
        return _told(errors.StoreTrouble("the service failed: see its log"), commit)
    record = result.cluster.text if result.cluster else None
    return {
        "commit": commit, "text": result.text, "lease": result.lease, "repeated": result.repeated, "record": record,
        "waited": result.waited, "refusal": _told(result.refusal, commit) if result.refusal else None,
    }  # fmt: skip


def _outcome(told: dict[str, Any]) -> Outcome:
    if "code" in told:
        return _refusal(told), int(told["commit"])
    cluster = Cluster(told["record"], json.loads(told["record"])) if told["record"] else None
    refusal = _refusal(told["refusal"]) if told.get("refusal") else None
    answer = Answer(told["text"], cluster, told["lease"], told["repeated"], refusal, float(told.get("waited", 0)))
    return answer, int(told["commit"])


def _refusal(told: dict[str, Any]) -> errors.Refusal:
    kind: type[errors.Refusal] = _REFUSALS[told["code"]]
    return kind(told["sentence"], retry_after=told["retry_after"], **told["facts"])
