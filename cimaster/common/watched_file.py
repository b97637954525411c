"""Files that an operator mounts, read again when they change, so that no restart is needed."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cimaster.common.file_text import decoded

T = TypeVar("T")
_log = logging.getLogger(__name__)


class WatchedFile(Generic[T]):
    """The parsed content of a file. `trouble` says why the current file cannot be used; it is empty if it can.

    The value of a missing file is `default`. So is that of an unreadable one, unless `keep_last_good` is set.
    """

    def __init__(self, path: str | Path, parse: Callable[[str], T], default: T, *, keep_last_good: bool) -> None:
        self.path = Path(path)
        self.trouble = ""
        self.missing = False
        self._parse = parse
        self._default = default
        self._keep_last_good = keep_last_good
        self._value = default
        self._good = False  # whether the value was read from the file
        self._stamp: object = ()
        self._lock = threading.Lock()

    @property
    def value(self) -> T:
        """The current value; reads the file again if it has changed."""
        with self._lock:
            stamp = self._current_stamp()
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
            return self._value

    def current_trouble(self) -> str:
        """Read the file again if it has changed, and return why it cannot be used; empty if it can."""
        _ = self.value
        return self.trouble

    def _current_stamp(self) -> object:
        try:
            stat = self.path.stat()  # of the link's target: a mounted Secret changes there
        except OSError as error:
            return error.errno
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size  # ctime changes with permissions

    def _read(self) -> None:
        had_trouble, self.trouble, self.missing = bool(self.trouble), "", False
        try:
            self._value, self._good = self._parse(decoded(self.path.read_bytes())), True
        except (FileNotFoundError, NotADirectoryError):
            self._value, self._good, self.missing = self._default, False, True
            self.trouble = f"{self.path} does not exist: create it"
        except (OSError, ValueError) as error:
            consequence = "the last good one stays" if self._keep_last_good and self._good else "it counts as empty"
            self.trouble = f"{self.path} cannot be used, {consequence}: {_reason(error)}"
            if not self._keep_last_good:
                self._value, self._good = self._default, False
        if self.trouble:
            _log.warning("%s", self.trouble)
        elif had_trouble:
            _log.info("%s is in use again", self.path)


def _reason(error: Exception) -> str:
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
