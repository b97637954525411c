"""A receiver of webhooks that verifies each signature, and answers as a test says."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

SECRET = "whsec_" + base64.b64encode(b"a key of the tests, 32 bytes long").decode()
Answer = tuple[int, dict[str, str]]
OK: Answer = (204, {})
LOST: Answer = (0, {})
"""The event is accepted, but the connection is closed without an answer."""


@dataclass(frozen=True)
class Delivery:
    """A notice that a receiver accepted: what it said, and when (monotonic) its request arrived and was accepted.

    `destination` is the channel, or the mailbox.
    """

    id: str
    destination: str
    content: object
    arrived: float
    accepted: float
    answer_lost: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Ignore senders that hang up: that is part of the tests."""


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Verify a signature as docs/notices.md shows it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [each.partition(",")[2] for each in headers["webhook-signature"].split()]
    return any(hmac.compare_digest(expected, each) for each in given)


@dataclass
class Receiver:
    """A context manager. `bodies` are all that was sent; those that the receiver accepted are counted by their id.

    `deliveries` are the accepted notices of the channel `channel`, in order.
    """

    answer: Callable[[str], Answer] = lambda _path: OK
    secret: str = SECRET
    channel: str = "hook"
    deliveries: list[Delivery] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)
    unsigned: int = 0
    hang: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self.hang.set()

    def _receive(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.texts.append(body)
        self.bodies.append(json.loads(body) if body.startswith((b"{", b"[")) else body)
        self.headers.append(headers)
        arrived = time.monotonic()
        self.hang.wait()
        answer = self.answer(path)
        if "webhook-id" in headers:
            self.unsigned += not is_signed(headers, body, self.secret)
            if answer in (OK, LOST):
                self._accept(json.loads(body), arrived, answer == LOST)
        return answer

    def _accept(self, body: Any, arrived: float, answer_lost: bool) -> None:
        for event in body if isinstance(body, list) else [body]:
            if event["id"] not in self.accepted:
                self.events.append(event)
            self.accepted[event["id"]] += 1
            now = time.monotonic()
            self.deliveries.append(Delivery(event["id"], self.channel, event, arrived, now, answer_lost))

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Listen, on the same port as before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, more = receiver._receive(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                if (status, more) == LOST:
                    return
                self.send_response(status)
                for name, value in {**more, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep the output of the tests free of requests."""

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang.set()
        self.stop()

    def stop(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address of the receiver."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def kinds(self) -> list[str]:
        """The kinds of the accepted events, in order."""
        return [event["type"].removeprefix("cimaster.") for event in self.events]
