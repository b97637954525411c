"""Checks and cleans of clusters: the operator defines them in a file, and admins choose among their names."""

import re
from pathlib import Path
from threading import Event

from cimaster.checks.command import CommandCheck
from cimaster.checks.definition import Definition
from cimaster.checks.http import HttpCheck
from cimaster.checks.prowjob import ProwjobCheck
from cimaster.common import ini_sections
from cimaster.common.file_text import decoded
from cimaster.common.settings import BadSetting
from cimaster.common.texts import brief
from cimaster.common.watched_file import WatchedFile
from cimaster.errors import BadParameter
from cimaster.pool.records.cluster import Cluster
from cimaster.settings import Settings

KINDS: dict[str, type[Definition]] = {"http": HttpCheck, "command": CommandCheck, "prowjob": ProwjobCheck}
_NAME = re.compile(r"(?!none$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # admins say none to remove a check
_LONGEST_REASON = 500


class DefinedChecks:
    """The checks in the operator's file, which is read again when it changes; a bad file keeps the last good ones."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: WatchedFile[dict[str, Definition]] = WatchedFile(path, read, {}, keep_last_good=True)
        self._last_good: dict[str, Definition] = {}

    @property
    def names(self) -> list[str]:
        """The names of the checks, for admins to choose from."""
        return sorted(self._current())

    def require(self, parameter: str, name: str | None) -> None:
        """Refuse a name, sent as this parameter, that the operator has not defined; None and empty mean no check."""
        if not name or name in self.names:
            return
        known = f"expected {', '.join([*self.names, 'none'])}" if self.names else self._undefined(name)
        raise BadParameter(f"{parameter} is {brief(name)}: {known}", parameter=parameter)

    def _current(self) -> dict[str, Definition]:
        if not self._path:
            return {}
        found = self._file.value
        if not self._file.trouble:  # a missing file would otherwise count as empty, although an editor may replace it
            self._last_good = found
        return self._last_good

    def troubles(self) -> dict[str, str]:
        """Read the file again if it has changed; return why it cannot be used, nothing if none is set."""
        return {"checks": self._file.current_trouble()} if self._path else {}

    def run(self, name: str, cluster: Cluster, key: str, stop: Event) -> str:
        """Run a check or clean on a cluster; return why it failed (at most 500 characters), empty if it passed.

        Two runs with the same key do the same work. Raises Interrupted soon after `stop` was set.
        """
        definition = self._current().get(name)
        failure = definition.run(cluster, key, stop) if definition else self._undefined(name)
        return brief(failure, _LONGEST_REASON - len("..."))

    def _undefined(self, name: str) -> str:
        if not self._path:
            return f"{name} is not defined: an operator must set CIMASTER_CHECKS_FILE"
        return f"{name} is not defined in {self._path}: an operator must add it, or an admin choose another one"


def check_file(settings: Settings) -> None:
    """Raise BadSetting if the file of the checks cannot be used."""
    path = settings.checks_file
    if not path:
        return
    try:
        read(decoded(Path(path).read_bytes()))
    except OSError as error:
        raise BadSetting(f"CIMASTER_CHECKS_FILE is {path!r}, which cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadSetting(f"CIMASTER_CHECKS_FILE is {path!r}, which cannot be used: {error}") from None


def read(text: str) -> dict[str, Definition]:
    """Read the definitions, one in each section; ValueError names the section and the key that is wrong."""
    return {name: _definition(name, texts) for name, texts in ini_sections.split(text).items()}


def _definition(name: str, texts: dict[str, str]) -> Definition:
    if not _NAME.fullmatch(name):
        raise ValueError(f"[{name}] is not a name for a check: expected up to 63 lower case letters, digits and '-'")
    return ini_sections.read(name, texts, KINDS)
