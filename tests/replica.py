"""A real server process, as an operator starts it, on ports of its own."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from .server import Server, free_ports

_CONFIGURATION = "python:cimaster.gunicorn_conf"


class Replica:
    """One `gunicorn` over a store; a context manager that leaves no process behind."""

    def __init__(
        self,
        folder: Path,
        name: str = "replica",
        *,
        arguments: Sequence[str] = (_CONFIGURATION,),
        code: Path | None = None,
        **environment: str,
    ) -> None:
        admins = folder / "botadmin"
        admins.mkdir(exist_ok=True)
        (admins / "users").write_text("root;Bob")
        self.paused = False
        port, metrics_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.http = requests.Session()
        self.http.trust_env = False
        self.server = Server(
            [sys.executable, "-m", "gunicorn", "-c", *arguments],
            folder / f"{name}.log",
            {
                "CIMASTER_PORT": str(port),
                "CIMASTER_METRICS_PORT": str(metrics_port),
                "CIMASTER_ADMIN_DIR": str(admins),
                **environment,
            },
            code,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.server.stop()

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.server.start()
        self.server.wait_until(self.ready)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Freeze the process and its worker (SIGSTOP) for as long as the block runs."""
        assert self.server.process is not None
        self.paused = True
        os.killpg(self.server.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.server.process.pid, signal.SIGCONT)
            self.paused = False

    def ready(self) -> bool:
        """Say whether it is ready for requests."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def get(self, path: str, **parameters: str) -> requests.Response:
        """Curl an endpoint of this process, on a connection that all calls of one thread share."""
        return self.http.get(self.url + path, params=parameters, timeout=60)
