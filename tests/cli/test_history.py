"""`cimaster history --all`, against a real service of its own: the archive is not put back into its first state."""

import csv
import io
import json

import pytest

from tests.cli.conftest import Run
from tests.replica import Replica

pytestmark = pytest.mark.slow


def test_all_of_the_history_is_read_page_after_page(replica: Replica, run: Run) -> None:
    for number in range(1001):
        verb = "disable" if number % 2 else "enable"
        assert replica.get(f"/{verb}cluster", cluster="cluster-01", name="root", reason=f"{number}").ok
    lines = run("history", "--all", "--format", "jsonl").stdout.splitlines()
    changes = [json.loads(line) for line in lines]
    assert [change["commit"] for change in changes] == sorted((c["commit"] for c in changes), reverse=True)
    assert len(changes) == 1001
    assert json.loads(run("history", "--all", "--json").stdout) == {"history": changes}
    table = run("history", "--all").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["TIME", *(change["at"] for change in changes)]
    rows = list(csv.DictReader(io.StringIO(run("history", "--all", "--format", "csv").stdout)))
    assert [int(row["commit"]) for row in rows] == [change["commit"] for change in changes]
    newest = run("history", "--person", "root", "--kind", "disabled", "--until", "2999-01-01").stdout.splitlines()
    assert len(newest) == 1 + 100
    assert run("history", "--all", "--limit", "5").returncode == 2
