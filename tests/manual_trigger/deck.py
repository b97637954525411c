"""A fake Deck: serves Prow's loaded configuration on /config, and fails as a test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"
SAMPLE = (DATA / "deck-config.yaml").read_bytes()


def sample() -> dict[str, Any]:
    """Return the sample configuration, for a test to change."""
    read: dict[str, Any] = yaml.safe_load(SAMPLE)
    return read


class _WithoutAliases(yaml.SafeDumper):
    """Writes repeated values in full, as Deck does, instead of as aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def written(configuration: dict[str, Any]) -> bytes:
    """Return a configuration as Deck would write it."""
    return yaml.dump(configuration, Dumper=_WithoutAliases).encode()


class Deck:
    """A server whose `text` is the configuration. `status` and `broken` make it fail, a closed `gate` lets it hang."""

    def __init__(self, text: bytes = SAMPLE) -> None:
        self.text = text
        self.status = 200
        self.broken = False
        self.requests = 0
        self.gate = threading.Event()
        self.gate.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.origin}/config"

    def serve(self, configuration: dict[str, Any]) -> None:
        """Answer with another configuration from now on."""
        self.text = written(configuration)

    @contextmanager
    def running(self) -> Iterator["Deck"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        deck = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def do_GET(self) -> None:
                deck.requests += 1
                deck.gate.wait(30)
                if deck.broken:
                    self.connection.shutdown(2)
                    return
                self.send_response(deck.status if self.path == "/config" else 404)
                self.send_header("Content-Length", str(len(deck.text)))
                self.end_headers()
                self.wfile.write(deck.text)

        return Handler
