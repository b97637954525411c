"""Prometheus and promtool, which Debian's package prometheus brings, as the tests use them."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import requests
import yaml

from tests.monitoring.overlay import RULES
from tests.server import Server, free_ports

RULE_FILE = "rules.yaml"


def program(name: str) -> str:
    """Return the path of one of the two programs; skip the test if it is not installed."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CIMASTER_TEST_ALL"):
            pytest.fail(f"{name} is not there: apt-get install prometheus")
        pytest.skip(f"{name} is not there: apt-get install prometheus")
    return path


def promtool(*words: str | Path) -> None:
    """Run promtool; fail with what it prints if it finds a fault."""
    done = subprocess.run([program("promtool"), *words], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def rule_file(folder: Path) -> Path:
    """Write the rules of the PrometheusRule as a rule file of Prometheus, and return its path."""
    path = folder / RULE_FILE
    path.write_text(yaml.safe_dump(RULES), "utf-8")
    return path


class Prometheus:
    """A Prometheus that scrapes one replica twice a second and evaluates the rules; a context manager."""

    def __init__(self, folder: Path, scraped: str) -> None:
        [port] = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        labels = {"namespace": "ci", "pod": "cimaster-0"}  # as the ServiceMonitor sets them
        configuration = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(rule_file(folder))],
            "scrape_configs": [{"job_name": "cimaster", "static_configs": [{"targets": [scraped], "labels": labels}]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration), "utf-8")
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        self._server = Server(command, folder / "prometheus.log")
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        self._server.start()
        self._server.wait_until(self._ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._server.stop()

    def _ready(self) -> bool:
        try:
            return self._http.get(f"{self._url}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API; fail with its words if it refuses."""
        answer = self._http.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """Return the series that an expression has now."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found
