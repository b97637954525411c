"""Files that an operator mounts: read again whenever they change, so that nobody has to restart anything."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)


class MountedFile(Generic[T]):
    """What a file says. `trouble` is why the present file is not used, or empty.

    A file that is not there says `nothing`. So does one that cannot be read, unless it `keeps` the last good value.
    """

    def __init__(self, path: str, parse: Callable[[str], T], nothing: T, *, keeps: bool) -> None:
        self.path = Path(path)
        self.trouble = ""
        self._parse = parse
        self._nothing = nothing
        self._keeps = keeps
        self._value = nothing
        self._stamp: tuple[int, ...] | None = ()
        self._lock = threading.Lock()

    @property
    def value(self) -> T:
        """Return what the file says now."""
        with self._lock:
            stamp = self._present()
            if stamp != self._stamp:
                self._read(stamp)
                self._stamp = stamp
            return self._value

    def _present(self) -> tuple[int, ...] | None:
        try:
            stat = self.path.stat()  # of what the link leads to: a mounted Secret changes behind it
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self, stamp: tuple[int, ...] | None) -> None:
        self.trouble = ""
        try:
            self._value = self._parse(self.path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            self._value, self.trouble = self._nothing, f"{self.path} is not there"
        except (OSError, ValueError) as error:
            kept = "the last good one stays" if self._keeps and stamp else "it counts as empty"
            self.trouble = f"{self.path} cannot be used, {kept}: {_reason(error)}"
            if not self._keeps:
                self._value = self._nothing
        if self.trouble:
            _log.warning("%s", self.trouble)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):  # its own words would repeat what is in the file
        return f"byte {error.start} is not UTF-8"
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
