"""Clients that send exactly the bytes of a test, and both programs before any client has misbehaved."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.manual_trigger.deck import SAMPLE
from tests.manual_trigger.process import ManualTrigger, no_cluster
from tests.replica import Replica

Program = Replica | ManualTrigger
QUICKLY = 0.2  # seconds


class WithoutCluster(ManualTrigger):
    """manual-trigger without a cluster: it is never ready, but answers requests."""

    def __init__(self, folder: Path, **environment: str) -> None:
        (folder / "config.yaml").write_bytes(SAMPLE)
        super().__init__(folder, str(folder / "config.yaml"), no_cluster(folder), **environment)

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False


@dataclass
class Answer:
    """The answer that a client received."""

    status: int
    headers: Message
    body: bytes

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code; the body must be one line of text."""
        assert self.headers.get_content_type() == "text/plain", self
        assert self.body.count(b"\n") == 1, self
        assert self.body.endswith(b"\n"), self
        return self.status, self.headers["CIMaster-Code"]


def connect(program: Program, sent: bytes = b"", *, source: str = "127.0.0.1", takes: int = 0) -> socket.socket:
    """Connect to a program from a loopback address; `takes` is the size of the receive buffer in bytes."""
    client = socket.socket()
    client.settimeout(60)
    if takes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
    client.bind((source, 0))
    client.connect((urlsplit(program.url).hostname, urlsplit(program.url).port))
    client.sendall(sent)
    return client


def read(client: socket.socket) -> Answer:
    """Read one answer."""
    with HTTPResponse(client) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())


def ask(program: Program, sent: bytes) -> Answer:
    """Send bytes and read one answer."""
    with connect(program, sent) as client:
        return read(client)


def is_closed(client: socket.socket) -> bool:
    """Say whether the program has closed the connection without sending more data."""
    try:
        return has_news(client, 0) and client.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def has_news(client: socket.socket, seconds: float) -> bool:
    """Say whether data or the end of the connection arrives within some seconds."""
    return bool(select.select([client], [], [], seconds)[0])


@contextmanager
def crowd(program: Program, size: int, sent: bytes, **options: Any) -> Iterator[list[socket.socket]]:
    """Clients that all send the same bytes, then nothing, and stay connected."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(program, sent, **options)) for _ in range(size)]


def seconds_to_answer(program: Program) -> float:
    """Return the time of the fastest of a few requests."""
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert ask(program, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        times.append(time.monotonic() - started)
    return min(times)
