"""Who may do what. With `auth = open` names are what callers say, and admins are the names in a file."""

import logging
import threading
import time
from pathlib import Path

from cimaster.errors import NotAuthorized

_LOOK_AGAIN = 2.0  # seconds; the file is a mounted Secret, which changes behind a link
_log = logging.getLogger(__name__)


class Admins:
    """The admins named in the file `users` of a folder, separated by semicolons; re-read when it changes."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "users"
        self._names: frozenset[str] = frozenset()
        self._stamp: tuple[float, int, int] | None = None
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self.names()

    def names(self) -> frozenset[str]:
        """Return the admins in lower case. A file that cannot be read leaves the last good list; none is no admins."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_AGAIN:
                self._look()
                self._looked = time.monotonic()
            return self._names

    def _look(self) -> None:
        try:
            stat = self.path.stat()
            stamp = (stat.st_mtime, stat.st_ino, stat.st_size)
            if stamp != self._stamp:
                text = self.path.read_text("utf-8")
                self._names = frozenset(name.strip().casefold() for name in text.split(";") if name.strip())
                self._stamp = stamp
        except FileNotFoundError:
            self._names, self._stamp = frozenset(), None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("the list of admins cannot be read; the last good one stays: %s", error)

    def require(self, name: str) -> None:
        """Raise NotAuthorized unless the name is an admin's."""
        if name in self:
            return
        if not self.names():
            raise NotAuthorized(
                f"user {name} is not authorized: no admins are named; write names into {self.path}, with ; between"
            )
        raise NotAuthorized(f"user {name} is not authorized: this needs an admin; admins are named in {self.path}")
