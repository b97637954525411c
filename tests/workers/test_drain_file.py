"""The file that drains a server is ignored unless only the server's user may write to its folder."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from cimaster.workers.drain_file import DrainFile, FolderNotOurs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the file; it does not exist yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"cimaster-{os.geteuid()}"


def test_the_folder_is_private_regardless_of_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        DrainFile(80).make()
    finally:
        os.umask(before)
    (file,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]
    assert DrainFile(80).exists()
    assert not DrainFile(81).exists()
    DrainFile(80).remove()
    assert not DrainFile(80).exists()


def test_a_starting_server_creates_the_folder(folder: Path) -> None:
    DrainFile(80).remove()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["link", "open to all", "file"])
def test_a_folder_that_others_may_write_to_is_ignored(
    folder: Path, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "link":
        folder.symlink_to(elsewhere)
    elif kind == "file":
        folder.touch(mode=0o600)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    if kind != "file":
        (folder / "80.draining").touch()
    drain = DrainFile(80)
    assert not drain.exists()
    with pytest.raises(OSError, match="cimaster-"):
        drain.make()
    drain.remove()
    assert "cimaster drain cannot reach this process" in caplog.text
    assert [path.name for path in elsewhere.iterdir()] == (["80.draining"] if kind == "link" else [])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_ignored(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "80.draining").touch()
    os.chown(folder, 65534, 65534)
    assert not DrainFile(80).exists()
    with pytest.raises(FolderNotOurs, match="is not a folder that only this user may write to: remove it"):
        DrainFile(80).make()
