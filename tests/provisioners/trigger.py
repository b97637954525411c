"""A fake manual-trigger that gives the answers of a test's script, which the real service seldom gives."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = tuple[int, dict[str, str], bytes]


def said(status: int, **body: Any) -> Answer:
    """Return an answer with a JSON body."""
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def begun(name: str = "job-1", **body: Any) -> Answer:
    """Return the answer of a job that was started."""
    links = {"status_link": f"https://prow/prowjob?prowjob={name}", "log_link": ""}
    usual = {"success": True, "message": "ProwJob created successfully", "job_name": name}
    return said(201, **{**usual, **links, **body})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that hang up: that is part of the tests."""


class ScriptedTrigger:
    """A context manager; answers each request as `script` says. `requests` are paths and bodies of all requests."""

    def __init__(self, script: Callable[[str, dict[str, Any]], Answer | None]) -> None:
        self.script = script
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.tokens: list[str] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received = (self.path, json.loads(body) if body else {})
                scripted.tokens.append(self.headers.get("Authorization", ""))
                scripted.requests.append(received)
                answer = scripted.script(*received)
                if answer is None:  # the answer is lost
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def log_message(self, *_: Any) -> None:
                """Keep the output of the tests clean."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/manual-trigger"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
