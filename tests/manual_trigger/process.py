"""A real manual-trigger process, started as an operator would, on free ports."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
import yaml

from tests.server import Server, free_ports

TOKEN = "a-token-of-the-tests"
ALLOW_ALL = "** ** ** ** base_sha\n"


def no_cluster(folder: Path) -> Path:
    """Write a kubeconfig of a cluster that does not exist, and return its path."""
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    names = {"cluster": "gone", "user": "gone"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "gone",
        "clusters": [{"name": "gone", "cluster": {"server": address}}],
        "users": [{"name": "gone", "user": {}}],
        "contexts": [{"name": "gone", "context": names}],
    }
    path = folder / "nowhere.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


class ManualTrigger:
    """A context manager: a `manual-trigger` process with Deck's configuration, stopped at the end.

    It accepts `TOKEN`, and allows everything unless `rules` says otherwise.
    """

    def __init__(
        self, folder: Path, config: str, kubeconfig: Path, *, rules: str = ALLOW_ALL, **environment: str
    ) -> None:
        self.tokens, self.rules = folder / "tokens", folder / "allow"
        self.tokens.write_text(f"# callers\n{TOKEN}\n")
        self.rules.write_text(rules)
        port, metrics_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"
        self.server = Server(
            [sys.executable, "-m", "cimaster.manual_trigger"],
            folder / "manual-trigger.log",
            {
                "KUBECONFIG": str(kubeconfig),
                "MANUAL_TRIGGER_CONFIG": config,
                "MANUAL_TRIGGER_PORT": str(port),
                "MANUAL_TRIGGER_METRICS_PORT": str(metrics_port),
                "MANUAL_TRIGGER_TOKEN_FILE": str(self.tokens),
                "MANUAL_TRIGGER_ALLOW_FILE": str(self.rules),
                **environment,
            },
        )

    def __enter__(self) -> Self:
        self.server.start()
        self.server.wait_until(self.ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.server.stop()

    def ready(self) -> bool:
        """Say whether the process is ready."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def trigger(self, **parameters: object) -> requests.Response:
        """Start a job."""
        return self.http.post(f"{self.url}/manual-trigger", json=parameters, timeout=60)
