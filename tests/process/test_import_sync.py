"""`cimaster import --sync` as an admin or a pipeline runs it: what it prints, and its exit status."""

import getpass
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conditions import until
from tests.process.conftest import Start, fill, records

INVENTORY = """\
- {name: cluster-000, region: eu, note: new switch}
- {name: cluster-009, region: eu}
"""


class Sync:
    """Runs the command over the store of the test."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "inventory.yaml"

    def __call__(self, *arguments: str, inventory: str = INVENTORY) -> tuple[int, str, str]:
        """Run it on a file with this content; return the exit status, and what was printed where."""
        self.file.write_text(inventory)
        command = [sys.executable, "-m", "cimaster", "import", "--sync", str(self.file), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def sync(environment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """The command, with the store in its environment."""
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    return Sync(tmp_path)


def test_a_running_service_gets_the_inventory_except_what_is_in_use(start: Start, sync: Sync) -> None:
    replica = start()
    fill(replica, 3)
    assert replica.get("/getvacant", job="e2e", build="124", cluster="cluster-002").ok
    plan = (
        "+ cluster-009 (region eu)\n"
        "~ cluster-000: region r -> eu; note none -> new switch\n"
        "- cluster-001 (vacant)\n"
        "- cluster-002 (occupied by e2e #124)\n"
        "= 0 unchanged\n"
    )
    assert sync("--dry-run") == (2, plan, "")
    assert records(replica).keys() == {"cluster-000", "cluster-001", "cluster-002"}
    status, printed, errors = sync("--by", "alice")
    assert (status, errors) == (1, "")
    assert printed == plan + (
        "done: cluster cluster-009 is added successfully\n"
        "done: cluster cluster-000 is updated\n"
        "done: cluster cluster-001 is deleted\n"
        "failed: cluster-002: it is occupied by e2e #124: wait until it is free, or add --force and --reason\n"
        "3 done, 1 failed: cluster-002\n"
    )
    assert replica.get("/finishtest", cluster="cluster-002", job="e2e", build="124").ok
    assert sync() == (
        0,
        "- cluster-002 (vacant)\n= 2 unchanged\ndone: cluster cluster-002 is deleted\n1 done\n",
        "",
    )
    assert sync("--dry-run") == (0, "= 2 unchanged\n", "")
    until(lambda: len(records(replica)) == 2)
    history = requests.get(f"{replica.url}/history", headers={"Accept": "application/json"}, timeout=10).json()
    assert [entry["by"] for entry in history["history"] if entry["event"] == "deleted"] == [getpass.getuser(), "alice"]


def test_a_purpose_is_emptied_only_with_force(start: Start, sync: Sync) -> None:
    replica = start()
    fill(replica, 2)
    plan = "- cluster-000 (vacant)\n- cluster-001 (vacant)\n= 0 unchanged\n"
    for arguments in ((), ("--dry-run",)):
        status, printed, errors = sync(*arguments, inventory="[]")
        assert (status, printed) == (1, plan)
        assert errors.startswith("cimaster: no cluster would be left for purpose tess-ci (now cluster-000, cluster-001")
    assert len(records(replica)) == 2
    assert sync("--force", "--reason", "moved", "--dry-run", inventory="[]") == (2, plan, "")
    assert sync("--force", "--reason", "moved", inventory="[]")[0] == 0
    until(lambda: records(replica) == {})


@pytest.fixture
def unused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of an SQLite file that does not exist."""
    path = tmp_path / "none.db"
    monkeypatch.setenv("CIMASTER_STORE", f"sqlite:{path}")
    return path


def test_an_inventory_fills_a_new_pool(unused: Path, tmp_path: Path) -> None:
    sync = Sync(tmp_path)
    status, printed, errors = sync("--dry-run")
    assert (status, printed) == (1, "")
    assert "none.db does not exist: name the store of the service with --store" in errors
    assert not unused.exists()
    assert sync("--by", "alice")[0] == 0
    assert sync("--dry-run")[:2] == (0, "= 2 unchanged\n")


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["--force"], 2, "--force needs --reason: say to the people"),
        (["--force", "--reason", " "], 2, "--force needs --reason"),
        (["--by", ""], 2, "'' cannot be used: expected a name of 1 to 63 characters"),
        (["--replace"], 2, "not allowed with argument --sync"),
        (["--dry-run", "--hold", "6"], 1, "CIMASTER_HOLD is '6': expected a duration"),
    ],
    ids=lambda value: str(value),
)
def test_wrong_arguments_are_refused(
    unused: Path, tmp_path: Path, arguments: list[str], status: int, reason: str
) -> None:
    returned, printed, errors = Sync(tmp_path)(*arguments)
    assert (returned, printed) == (status, "")
    assert reason in errors
    assert not unused.exists()


def test_a_file_that_cannot_be_read_is_named(unused: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cimaster", "import", "--sync", f"{tmp_path}/away.yaml"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"cimaster: {tmp_path}/away.yaml cannot be read: No such file or directory\n"
    assert not unused.exists()


def test_its_options_need_sync(unused: Path, tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    file.write_text("[]")
    command = [sys.executable, "-m", "cimaster", "import", str(file), "--dry-run"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--dry-run, --by, --force and --reason need --sync" in done.stderr
    assert not unused.exists()
