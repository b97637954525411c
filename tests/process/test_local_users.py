"""Another user of the same machine can neither drain the service nor read its pool."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.test_processes import cimaster
from tests.replica import Replica

ROOT = Path(__file__).parent.parent.parent
OTHER = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that all users may write to."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # accessible to other users, unlike the folders of pytest
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def by_another_user(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script as another user."""
    command = ["sh", "-c", script]
    return subprocess.run(command, cwd=folder, user=OTHER, group=OTHER, extra_groups=[], capture_output=True, text=True)


def replica(shared: Path, folder: Path) -> Replica:
    """A replica that keeps its files in a folder that all users can read."""
    return Replica(folder, TMPDIR=str(shared), CIMASTER_STORE=f"sqlite:{shared / 'pool.db'}")


def is_ready(running: Replica) -> bool:
    """Say whether the replica is ready for requests."""
    return running.get("/readyz").ok


@needs_root
def test_another_user_can_neither_drain_the_service_nor_read_its_pool(shared: Path, tmp_path: Path) -> None:
    with replica(shared, tmp_path) as running:
        port = running.url.rpartition(":")[2]
        names = {path.name for path in shared.iterdir()}
        assert {"pool.db", "pool.db-wal", "pool.db-shm"} <= names
        for name in names:
            assert by_another_user(f"cat {name} || ls {name}/", shared).returncode != 0, name
        by_another_user(f"touch cimaster-{port}.draining cimaster-0/{port}.draining", shared)
        assert is_ready(running)
        assert cimaster("drain", "--port", port, environment={"TMPDIR": str(shared)}).returncode == 0
        assert not is_ready(running)


@needs_root
@pytest.mark.parametrize("made", ["mkdir -m 777 {folder}", "mkdir -m 777 theirs; ln -s theirs {folder}"])
def test_a_folder_made_by_another_user_drains_nothing_and_is_reported(shared: Path, tmp_path: Path, made: str) -> None:
    folder = shared / "cimaster-0"
    assert by_another_user(made.format(folder=folder), shared).returncode == 0
    with replica(shared, tmp_path) as running:
        port = running.url.rpartition(":")[2]
        assert by_another_user(f"touch {folder}/{port}.draining", shared).returncode == 0
        assert is_ready(running)
        sentence = f"{folder} is not a folder that only this user may write to: remove it"
        drained = cimaster("drain", "--port", port, environment={"TMPDIR": str(shared)})
        assert (drained.returncode, drained.stderr) == (1, f"cimaster: {sentence}\n")
        assert is_ready(running)
    assert f"cimaster drain cannot reach this process: {sentence}" in running.server.log.read_text()


def test_files_of_the_database_are_for_their_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Replica(tmp_path, CIMASTER_STORE=f"sqlite:{tmp_path / 'new' / 'pool.db'}") as running:
            assert running.get("/addcluster", cluster="a", region="r", name="root").ok
            files = [tmp_path / "new", *(tmp_path / "new").iterdir()]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    finally:
        os.umask(before)
    assert modes == {"new": 0o700, "pool.db": 0o600, "pool.db-wal": 0o600, "pool.db-shm": 0o600}


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_run_makes_folders_that_others_cannot_read(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "cimaster"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")  # what make run creates before it starts a program of ours
    program.chmod(0o755)
    state = tmp_path / "state"
    command = ["make", "-s", "-o", ".venv/run.stamp", "run", f"STATE={state}", f"BIN={program.parent}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, umask=0)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "admin", state / "admin" / "users")]
    assert modes == [0o700, 0o700, 0o600]
    assert (state / "admin" / "users").read_text() == "admin"
