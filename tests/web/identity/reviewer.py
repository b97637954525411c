"""An HTTP server that answers TokenReviews as a test says, and can keep its callers waiting."""

import http.server
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

import yaml

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from tests.conditions import until
from tests.conftest import kube_access_by

ACCOUNT = "system:serviceaccount:ci:e2e"


class Reviewer(http.server.ThreadingHTTPServer):
    """Accepts each token as the account e2e of ci, unless it is in `refused`.

    `status` and `body` replace the answer. While `closed`, calls are counted and wait for their answer.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Review)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status, self.body = 201, b""
        self.refused: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.most = 0
        self.under_way = 0
        self.lock = threading.Lock()
        self.open = threading.Event()
        self.open.set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def client(self, folder: Path, clock: Clock | None = None) -> KubernetesClient:
        """Return access to this server."""
        config: dict[str, Any] = {
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": "of-the-service"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        return kube_access_by(folder / "kubeconfig", clock)

    def until_under_way(self, calls: int) -> None:
        """Wait until this number of calls is under way."""
        until(lambda: self.under_way >= calls)

    def handle_error(self, *_: object) -> None:
        """Log nothing: callers may have stopped waiting."""


class _Review(http.server.BaseHTTPRequestHandler):
    server: Reviewer

    def do_POST(self) -> None:
        spec = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["spec"]
        assert spec["audiences"] == ["cimaster"]
        self._count(spec["token"], 1)
        self.server.open.wait()
        self._count("", -1)
        good = spec["token"] not in self.server.refused
        user = {"username": ACCOUNT, "groups": ["system:authenticated"]}
        status = {"authenticated": good, "audiences": ["cimaster"], "user": user}
        body = self.server.body or json.dumps({"status": status}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _count(self, token: str, change: int) -> None:
        with self.server.lock:
            self.server.under_way += change
            self.server.most = max(self.server.most, self.server.under_way)
            if token:
                self.server.calls[token] += 1

    def log_message(self, *_: object) -> None:
        """Log nothing."""
