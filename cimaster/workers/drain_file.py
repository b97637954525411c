"""The file with which `cimaster drain` makes a server of the same user report that it is not ready.

It is in a folder that only this user may write to. In a shared folder, any user of the machine could drain the
service, or make it follow a link.
"""

import logging
import os
import stat
import tempfile
from pathlib import Path

_log = logging.getLogger(__name__)


class FolderNotOurs(OSError):
    """Another user may write to the folder of the file."""


class DrainFile:
    """The file that drains the server on a port."""

    def __init__(self, port: int) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"cimaster-{os.geteuid()}"
        self._file = self._folder / f"{port}.draining"

    def make(self) -> None:
        """Drain the server; FolderNotOurs if another user may write to the folder: the server ignores it then."""
        self._make_folder()
        self._file.touch(mode=0o600)

    def remove(self) -> None:
        """Cancel the drain, and make the folder before another user does."""
        try:
            self._make_folder()
            self._file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("cimaster drain cannot reach this process: %s", error)

    def exists(self) -> bool:
        """Say whether the server should drain."""
        return self._is_ours() and self._file.exists()

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._is_ours():
            raise FolderNotOurs(f"{self._folder} is not a folder that only this user may write to: remove it")

    def _is_ours(self) -> bool:
        try:
            found = self._folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
