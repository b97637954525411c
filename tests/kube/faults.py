"""A proxy between the service and the API server that loses, delays and falsifies answers as scripted."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import urllib3

_GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n'


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Log nothing: the server behind it may be down, and then the connection breaks."""


class Upstream(Protocol):
    """The server to which requests are passed on."""

    @property
    def url(self) -> str: ...

    @property
    def ca_file(self) -> Path | None: ...


class FaultyServer:
    """Forwards requests to an API server, with the faults in `script` for the next PUTs and POSTs.

    lose_before: the connection breaks and the server never saw the write. lose_after: the server applied it and the
    answer is lost. conflict_after: the server applied it and the answer says 409. late: the answer is lost and the
    write reaches the server only after `release_late`. slow: the answer comes after the client stopped waiting.
    unavailable: 503, not applied. cut_after: applied, the answer is lost, and so is everything until `down` is unset.
    Writes whose path does not contain `aim` are spared.

    `watches` says what happens to each watch. pass: nothing. gone: it begins with an event that says 410. brief: it is
    closed after its first event. nothing: it is closed before that. reset: it breaks before that. odd: it is a page of
    some other server. `watched` has the moments at which they began.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.script: deque[str] = deque()
        self.aim = ""
        self.down = False
        self.puts = 0
        """How far the server's clock appears to be behind: each answer's date is moved back."""
        self.watches = "pass"
        self.watched: list[float] = []
        self._late: list[Any] = []
        self._upstream = upstream
        self._http = urllib3.PoolManager(ca_certs=str(upstream.ca_file), retries=False, timeout=30.0, maxsize=20)
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["FaultyServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.down = True
            self._server.shutdown()
            thread.join()
            self._server.server_close()
            self._http.clear()

    def release_late(self) -> list[int]:
        """Send the delayed writes to the server now; return the statuses of its answers."""
        late, self._late = self._late, []
        return [send().status for send in late]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def do_GET(self) -> None:
                if proxy.down:
                    return self._break()
                if "watch=true" in self.path:
                    return self._watch()
                return self._answer(self._forward(None))

            def _watch(self) -> None:
                proxy.watched.append(time.monotonic())
                if proxy.watches == "pass":
                    return self._answer(self._forward(None))
                self.close_connection = True
                self.send_response_only(200)
                self.send_header("Content-Type", "application/json")
                if proxy.watches == "reset":
                    self.send_header("Transfer-Encoding", "chunked")  # its end is missing
                self.end_headers()
                if proxy.watches == "gone":
                    self.wfile.write(_GONE)
                if proxy.watches == "odd":
                    self.wfile.write(b"<html>\n")
                if proxy.watches == "brief":
                    with closing(self._forward(None)) as answer:
                        self.wfile.write(answer.read1(1 << 16))
                return None

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fault = proxy.script.popleft() if proxy.script and proxy.aim in self.path else "none"
                proxy.puts += 1
                if proxy.down or fault == "lose_before":
                    return self._break()
                if fault == "unavailable":
                    return self._plain(503)
                if fault == "late":
                    url, headers = self._url(), self._headers()
                    method = self.command
                    proxy._late.append(lambda: proxy._http.request(method, url, body=body, headers=headers))
                    return self._break()
                return self._after(fault, self._forward(body))

            def do_POST(self) -> None:
                self.do_PUT()

            def _after(self, fault: str, answer: urllib3.BaseHTTPResponse) -> None:
                proxy.down = proxy.down or fault == "cut_after"
                if fault in ("lose_after", "cut_after"):
                    return self._break()
                if fault == "conflict_after":
                    return self._plain(409)
                if fault == "slow":
                    time.sleep(7)  # longer than the client waits
                return self._answer(answer)

            def _url(self) -> str:
                return proxy._upstream.url + self.path

            def _headers(self) -> dict[str, str]:
                return {
                    key: self.headers[key] for key in ("Authorization", "Accept", "Content-Type") if self.headers[key]
                }

            def _forward(self, body: bytes | None) -> urllib3.BaseHTTPResponse:
                streamed = self.command == "GET"
                return proxy._http.request(
                    self.command, self._url(), body=body, headers=self._headers(), preload_content=not streamed
                )

            def _answer(self, answer: urllib3.BaseHTTPResponse) -> None:
                self.close_connection = True
                with closing(answer), suppress(OSError):  # the client may have left before the first byte
                    self.send_response_only(answer.status)  # without a date of this proxy
                    self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                    self.send_header("Date", answer.headers["Date"])
                    self.send_header("Connection", "close")
                    self.end_headers()
                    for chunk in answer.stream(4096) if self.command == "GET" else [answer.data]:
                        if proxy.down:
                            break
                        self.wfile.write(chunk)
                        self.wfile.flush()

            def _plain(self, status: int) -> None:
                body = b'{"message":"injected"}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _break(self) -> None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(2)

        return Handler
