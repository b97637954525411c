"""`make audit`: the real pip-audit asks a local source of vulnerabilities; one without an answer is no clean result."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from tests.server import free_ports
from tests.supply.audit import FOUND, NOT_AUDITED, audit, judge

CORRECTED = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.4"}]}]
FLAW = {"id": "PYSEC-1", "affected": [{"package": {"name": "flask", "ecosystem": "PyPI"}, "ranges": CORRECTED}]}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file with one package."""
    path = tmp_path / "requirements.lock"
    path.write_text(f"flask==3.1.3 \\\n    --hash=sha256:{64 * '0'}\n")
    return path


def at(port: int) -> list[str]:
    """Return the options that lead pip-audit to a database like OSV on this machine."""
    return ["--vulnerability-service=osv", f"--osv-url=http://127.0.0.1:{port}/v1/query"]


@contextmanager
def source(answer: dict[str, Any]) -> Iterator[list[str]]:
    """Serve one answer as OSV would; yields the options that lead pip-audit there."""
    database = Flask("osv")

    @database.post("/v1/query")
    def query() -> Any:
        asked = request.get_json(force=True)
        return jsonify(answer if asked["package"]["name"] == "flask" and asked["version"] == "3.1.3" else {})

    server = make_server("127.0.0.1", 0, database)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield at(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_known_vulnerability_fails_and_names_the_correction(lock: Path) -> None:
    with source({"vulns": [FLAW]}) as options:
        status, words = audit(lock, *options)
    assert status == FOUND
    assert words.startswith("flask 3.1.3: PYSEC-1, corrected in 3.1.4\n")


def test_without_a_known_vulnerability_it_succeeds(lock: Path) -> None:
    with source({}) as options:
        assert audit(lock, *options) == (0, "No known vulnerability; packages audited: 1")


def test_an_unreachable_source_is_said_clearly(lock: Path) -> None:
    [port] = free_ports(1)
    status, words = audit(lock, *at(port))
    assert status == NOT_AUDITED
    assert words.startswith("Nothing was audited: pip-audit cannot reach its source of vulnerabilities.")
    assert "It needs the network." in words


def test_packages_that_the_source_does_not_know_are_no_success() -> None:
    known = {"name": "flask", "version": "3.1.3", "vulns": []}
    status, words = judge([known, {"name": "thing", "skip_reason": "Dependency not found"}])
    assert status == NOT_AUDITED
    assert words.startswith("1 of 2 packages were not audited")
    assert judge([])[0] == NOT_AUDITED
