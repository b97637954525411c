"""Runs a command on a cluster: waits for one, keeps its lease alive, and gives it back whatever happens."""

import queue
import re
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cimaster.cli import waiting
from cimaster.cli.child_process import CannotStart, ChildProcess
from cimaster.cli.client import ERROR, FAIL, PASS, Client, Lease, TakeOptions
from cimaster.cli.errors import ClientError, Unreachable
from cimaster.cli.progress import say
from cimaster.cli.renewal import Renewal
from cimaster.cli.settings import environment_with
from cimaster.cli.stop_signals import Stopped, StopSignals
from cimaster.cli.terminal_text import neutral

_UNINTERRUPTED_SECONDS = 5.0
_GRACE_SECONDS = 30.0  # between SIGTERM and SIGKILL for a command whose lease is lost


@dataclass(frozen=True)
class _Signalled:
    number: int


@dataclass(frozen=True)
class _LeaseLost:
    reason: str


@dataclass(frozen=True)
class _Exited:
    code: int  # negative: the number of the signal that ended the command


_Event = _Signalled | _LeaseLost | _Exited


@dataclass(frozen=True)
class _Outcome:
    """How a run ended: its exit status, and the result of the test; None if there is none."""

    status: int
    result: str | None = None


@dataclass(frozen=True)
class RunOptions:
    """How a command is run: seconds between renewals (None: the lease is not renewed), and what a lost lease does."""

    renew_every: float | None = None
    kill_on_lost_lease: bool = False


def run(
    client: Client, command: Sequence[str], job: str, build: str, take_options: TakeOptions, options: RunOptions
) -> int:
    """Run a command on a cluster; return its exit status, or 128 plus the number of the signal that ended the wait."""
    events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
    with StopSignals(lambda number: events.put(_Signalled(number))) as signals:
        try:
            lease = waiting.take(client, signals, job, build, take_options)
        except Stopped as stopped:
            say(str(stopped))
            return stopped.exit_status
        say(f"{lease.cluster} is lent to {job} #{build}")
        supervision = _Supervision(client, lease, command, options, events)
        result = None
        try:
            outcome = supervision.outcome()
            result = outcome.result
            return outcome.status
        finally:
            if not supervision.lease_is_lost:
                give_back(client, signals, lease, result)


def give_back(client: Client, signals: StopSignals, lease: Lease, result: str | None) -> None:
    """Give a cluster back, and say so; where the service is away, a signal ends the attempts."""
    try:
        try:
            answer = client.with_timeout(_UNINTERRUPTED_SECONDS).finish(lease, result)
        except Unreachable:
            with signals.interrupt():
                answer = client.finish(lease, result)
        say(answer.message)
    except (ClientError, Stopped) as error:
        say(f"WARNING: {lease.cluster} was not given back: {error}")


class _Supervision:
    """One command on its cluster: signals go to it, and the lease is renewed until it ends."""

    def __init__(
        self,
        client: Client,
        lease: Lease,
        command: Sequence[str],
        options: RunOptions,
        events: "queue.SimpleQueue[_Event]",
    ) -> None:
        self.lease_is_lost = False
        self._signalled = False
        self._client = client
        self._lease = lease
        self._command = command
        self._options = options
        self._events = events
        self._kill_at = float("inf")

    def outcome(self) -> _Outcome:
        """Run the command; return how it ended, also if it could not be started."""
        if not self._events.empty() and isinstance(first := self._events.get(), _Signalled):
            return _Outcome(128 + first.number)
        try:
            child = ChildProcess(self._command, environment_with({**self._client.variables, **facts(self._lease)}))
        except CannotStart as error:
            say(str(error))
            return _Outcome(error.exit_status)  # a missing command says nothing about the cluster
        threading.Thread(target=lambda: self._events.put(_Exited(child.wait())), name="child", daemon=True).start()
        renewal = self._renewal()
        try:
            return self._outcome_of(self._exit_code(child))
        finally:
            renewal.stop()

    def _renewal(self) -> Renewal:
        renewal = Renewal(
            self._client,
            self._lease,
            self._options.renew_every or 0,
            lambda why: self._events.put(_LeaseLost(why)),
            say,
        )
        if self._options.renew_every:
            renewal.start()
        return renewal

    def _outcome_of(self, code: int) -> _Outcome:
        """Judge how the command ended; a job that was cancelled by a signal says nothing about its cluster."""
        if code == 0:
            return _Outcome(0, PASS)
        status = code if code > 0 else 128 - code
        if self._signalled:
            return _Outcome(status)
        return _Outcome(status, FAIL if code > 0 else ERROR)

    def _exit_code(self, child: ChildProcess) -> int:
        while True:
            event = self._next_event()
            if isinstance(event, _Exited):
                return event.code
            if isinstance(event, _Signalled):
                self._signalled = True
                child.send(event.number)
            elif isinstance(event, _LeaseLost):
                self._lose(child, event.reason)
            else:
                self._kill_at = float("inf")
                child.send(signal.SIGKILL)

    def _next_event(self) -> _Event | None:
        """Return the next event; None if the time has come to kill the command."""
        if self._kill_at == float("inf"):
            return self._events.get()
        try:
            return self._events.get(timeout=max(0, self._kill_at - time.monotonic()))
        except queue.Empty:
            return None

    def _lose(self, child: ChildProcess, reason: str) -> None:
        self.lease_is_lost = True
        say("WARNING " + "!" * 60)
        say(f"WARNING: the lease of {self._lease.cluster} is lost: {reason}")
        if not self._options.kill_on_lost_lease:
            say(f"WARNING: another job may get {self._lease.cluster} while the command goes on")
            return
        say("WARNING: the command is ended")
        self._kill_at = time.monotonic() + _GRACE_SECONDS
        child.send(signal.SIGTERM)


def facts(lease: Lease) -> dict[str, str]:
    """Return the variables that tell the command about its cluster."""
    record = lease.record
    variables = {
        "CIMASTER_CLUSTER": lease.cluster,
        "CIMASTER_LEASE": lease.id,
        "CIMASTER_CLUSTER_PURPOSE": record.get("purpose"),
        "CIMASTER_CLUSTER_REGION": record.get("region"),
        "CIMASTER_CLUSTER_OSIMAGE": record.get("osimage"),
    }
    labels = record.get("labels")
    for key, value in labels.items() if isinstance(labels, dict) else ():
        variables["CIMASTER_CLUSTER_LABEL_" + re.sub(r"[^A-Za-z0-9]", "_", str(key)).upper()] = value
    return {name: neutral(str(value or "")) for name, value in variables.items()}
