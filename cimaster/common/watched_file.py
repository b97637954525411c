"""Files that an operator mounts: read again whenever they change, so that nothing has to be restarted."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cimaster.common.file_text import decoded

T = TypeVar("T")
_log = logging.getLogger(__name__)


class WatchedFile(Generic[T]):
    """What a file says. `trouble` is why the present file is not used, or empty.

    A file that is not there says `nothing`. So does one that cannot be read, unless it `keeps` the last good value.
    """

    def __init__(self, path: str | Path, parse: Callable[[str], T], nothing: T, *, keeps: bool) -> None:
        self.path = Path(path)
        self.trouble = ""
        self._parse = parse
        self._nothing = nothing
        self._keeps = keeps
        self._value = nothing
        self._good = False  # whether the value was read from the file
        self._stamp: object = ()
        self._lock = threading.Lock()

    @property
    def value(self) -> T:
        """Return what the file says now."""
        with self._lock:
            stamp = self._present()
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
            return self._value

    def _present(self) -> object:
        try:
            stat = self.path.stat()  # of what the link leads to: a mounted Secret changes behind it
        except OSError as error:
            return error.errno
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size  # ctime: who may read it may change too

    def _read(self) -> None:
        self.trouble = ""
        try:
            self._value, self._good = self._parse(decoded(self.path.read_bytes())), True
        except (FileNotFoundError, NotADirectoryError):
            self._value, self._good, self.trouble = self._nothing, False, f"{self.path} is not there"
        except (OSError, ValueError) as error:
            kept = "the last good one stays" if self._keeps and self._good else "it counts as empty"
            self.trouble = f"{self.path} cannot be used, {kept}: {_reason(error)}"
            if not self._keeps:
                self._value, self._good = self._nothing, False
        if self.trouble:
            _log.warning("%s", self.trouble)


def _reason(error: Exception) -> str:
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
