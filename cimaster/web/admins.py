"""The admins: with `auth = open` callers state their names, and a file lists which of them are admins."""

import logging
import re
from pathlib import Path

from cimaster.common.texts import folded
from cimaster.common.watched_file import WatchedFile
from cimaster.errors import NotAuthorized

_COMMENT = re.compile(r"(?:^|(?<=[\r\n]))[ \t]*#[^\r\n]*")
_log = logging.getLogger(__name__)


class Admins:
    """The admins named in the file `users` of a folder, separated by line breaks, commas or semicolons.

    Lines that begin with `#` are comments. The file is read at the start, and again when it changes. If it cannot be
    read, the last good list stays in force; without a file there are no admins.
    """

    def __init__(self, folder: str) -> None:
        self._file: WatchedFile[frozenset[str]] = WatchedFile(
            Path(folder) / "users", self._parsed, frozenset(), keep_last_good=True
        )
        self.names()

    def __contains__(self, name: str) -> bool:
        return folded(name) in self.names()

    def names(self) -> frozenset[str]:
        """Return the names of the admins, folded for comparison."""
        return self._file.value

    def troubles(self) -> dict[str, str]:
        """Read the list again if it has changed; return why it cannot be used, nothing for a service without admins."""
        trouble = self._file.current_trouble()
        return {} if self._file.missing else {"admins": trouble}

    def _parsed(self, text: str) -> frozenset[str]:
        names = frozenset(filter(None, map(folded, re.split(r"[;,\r\n]", _COMMENT.sub("", text)))))
        level = logging.INFO if names else logging.WARNING
        _log.log(
            level, "read the list of admins; number of names: %d", len(names), extra={"path": str(self._file.path)}
        )
        return names

    def require(self, name: str) -> None:
        """Raise NotAuthorized unless the name is an admin's."""
        if name in self:
            return
        needs = "only admins can do this" if self.names() else "only admins can do this, and the service has none"
        raise NotAuthorized(f"user {name} is not authorized: {needs}; an operator adds names to its list of admins")
