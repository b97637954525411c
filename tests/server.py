"""One server process of the tests: it can be restarted with the same arguments, and never outlives the tests."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class ServerFailed(Exception):
    """A server did not start, or refused a request of the harness; the message ends with the tail of its log."""


class Server:
    """One program with its log in a file; a test may restart it, with the same arguments, any number of times."""

    # The kernel's parent-death signal (below) fires when the *thread* that started the child ends. A test may well
    # start a server from a thread of its own, so all are started from one that lives as long as the tests do.
    _spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def __init__(
        self, command: list[str], log: Path, environment: dict[str, str] | None = None, folder: Path | None = None
    ) -> None:
        with_parent = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        self.command = with_parent + command
        self.environment = {**os.environ, **(environment or {})}
        self.log = log
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Say whether the process exists; a paused one does."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process unless it is running; the log is appended to."""
        if self.running:
            return
        with self.log.open("ab") as log:
            popen = self._spawner.submit(
                subprocess.Popen,
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self.environment,
                cwd=self.folder,
            )
            self.process = popen.result()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Send SIGTERM, and SIGKILL after some seconds; a paused process is resumed first."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            if self.process is not None:
                self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def crash(self) -> None:
        """End the process and all its children with SIGKILL, as a machine that loses power would."""
        if self.process is not None and self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it is alive."""
        if self.process is not None and self.running:
            self.process.send_signal(number)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until the process serves; raise ServerFailed if it ends or START_SECONDS have passed before that."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.running:
            # Until the port is open, or while half of a certificate file is written, the request itself fails.
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                if ready():
                    return
            time.sleep(0.05)
        raise self.failure("the server is not ready")

    def failure(self, what: str) -> ServerFailed:
        """Return the error for a server that failed, with the end of its log."""
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
        code = self.process.poll() if self.process is not None else None
        state = "runs" if code is None else f"has ended with {code}"
        return ServerFailed(f"{what}, and its process {state}: {' '.join(self.command)}\n{tail}")


def free_ports(count: int) -> list[int]:
    """Return that many free loopback ports, which no other call returns soon.

    They are below the kernel's range for outgoing connections, so a server that was killed can reuse its own.
    """
    return list(itertools.islice(filter(_is_free, _PORTS), count))


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses connections: no other process can listen on it meanwhile."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _own_ports() -> Iterator[int]:
    """Cycle through the ports of this test worker, from a random start: other test runs may be active."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, many = 11_000 + 5_000 * (worker % 4), 5_000
    begin = random.randrange(many)
    return (first + (begin + step) % many for step in itertools.count())


_PORTS = _own_ports()
