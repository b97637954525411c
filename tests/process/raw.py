"""Clients that send exactly what a test says, and both programs as they are before any client has behaved badly."""

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
QUICKLY = 0.2  # seconds, of issue 11


class WithoutCluster(ManualTrigger):
    """manual-trigger with no cluster to start jobs in: it is never ready, and answers all the same."""

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
    """What a client got."""

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
    """Connect to a program from an address of the loopback; `takes` is how many bytes of answers fit in at most."""
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
    """Say whether the program has closed the connection, and sent nothing that was not read."""
    try:
        return has_news(client, 0) and client.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def has_news(client: socket.socket, seconds: float) -> bool:
    """Say whether something comes within some seconds: data, or the end of the connection."""
    return bool(select.select([client], [], [], seconds)[0])


@contextmanager
def crowd(program: Program, size: int, sent: bytes, **options: Any) -> Iterator[list[socket.socket]]:
    """Clients that send the same and then nothing, and stay."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(program, sent, **options)) for _ in range(size)]


def seconds_to_answer(program: Program) -> float:
    """Return how long the quickest of a few requests takes."""
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert ask(program, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        times.append(time.monotonic() - started)
    return min(times)
