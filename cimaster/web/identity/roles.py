"""Which caller has which roles: lines of a file that the operator mounts, and the list of admins."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from cimaster.common.texts import folded
from cimaster.common.watched_file import WatchedFile
from cimaster.web.admins import Admins
from cimaster.web.identity.identity import Identity

_GROUP, _EMAIL = "group:", "email:"
_MOST_REMEMBERED = 1024  # callers
_LINE = re.compile(r"(\S+)[ \t]+(\S.*)")
_log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a caller may do. The order is that of documentation."""

    READER = "reader"
    CI = "ci"
    PERSON = "person"
    PROBE = "probe"
    PROVISIONER = "provisioner"
    FOR_OTHERS = "for-others"
    ADMIN = "admin"

    @property
    def meaning(self) -> str:
        """What the role allows."""
        return _MEANINGS[self]


EVERYBODY: frozenset[Role] = frozenset()
"""The roles of which an endpoint needs one if it needs none."""

_MEANINGS = {
    Role.READER: "see clusters, queue, creations, history and usage",
    Role.CI: "take, finish and renew, and leave the queue; and what a reader may",
    Role.PERSON: "hold and release, wait for a hold, request clusters; and what a reader may",
    Role.PROBE: "set the health of a cluster; and what a reader may",
    Role.PROVISIONER: "add the cluster that a creation asked for; and what a reader may",
    Role.FOR_OTHERS: "name another person where a request names its caller",
    Role.ADMIN: "everything, also with what other callers have",
}
_IMPLIED: Mapping[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role),
    **dict.fromkeys((Role.CI, Role.PERSON, Role.PROBE, Role.PROVISIONER), frozenset({Role.READER})),
}


def with_implied(roles: Collection[Role]) -> frozenset[Role]:
    """Return roles together with those that they imply."""
    return frozenset(roles).union(*(_IMPLIED.get(role, ()) for role in roles))


@dataclass(frozen=True)
class RoleLine:
    """One line of the file: the callers that match the pattern have the role. `*` stands for any characters."""

    role: Role
    pattern: str

    def matches(self, identity: Identity) -> bool:
        """Say whether the line gives its role to this caller."""
        if self.pattern.startswith(_GROUP):
            return any(self._matches(_GROUP + group) for group in identity.groups)
        if self.pattern.startswith(_EMAIL):
            return bool(identity.email) and self._matches(_EMAIL + identity.email)
        return self._matches(identity.name)

    def _matches(self, text: str) -> bool:
        return self._expression.fullmatch(folded(text)) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(".*".join(map(re.escape, folded(self.pattern).split("*"))))


def parse(text: str) -> tuple[RoleLine, ...]:
    """Read lines `role pattern`; blank lines, and lines that begin with #, are skipped. ValueError names the line."""
    return tuple(_lines(text))


def _lines(text: str) -> Iterable[RoleLine]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if not found or found[1] not in list(Role):
            roles = ", ".join(Role)
            example = "`ci system:serviceaccount:ci:*`"
            raise ValueError(f"line {number} is not a role and a pattern, such as {example}; the roles are {roles}")
        yield RoleLine(Role(found[1]), found[2])


@dataclass(frozen=True)
class _Found:
    """The roles that were found in one version of both files, by caller: to match each line takes a while."""

    lines: tuple[RoleLine, ...]
    admins: frozenset[str]
    roles: dict[Identity, frozenset[Role]] = field(default_factory=dict)

    def of(self, identity: Identity) -> frozenset[Role]:
        direct = {line.role for line in self.lines if line.matches(identity)}
        if folded(identity.name) in self.admins:
            direct.add(Role.ADMIN)
        return with_implied(direct)


class Roles:
    """The roles of callers. Both files are read again when they change; of an unreadable one, the last good stays."""

    def __init__(self, path: str, admins: Admins) -> None:
        self._admins = admins
        self._found = _Found((), frozenset())
        self.file: WatchedFile[tuple[RoleLine, ...]] = WatchedFile(path, self._parsed, (), keep_last_good=True)
        self._is_set = bool(path)
        self._current_lines()

    def of(self, identity: Identity) -> frozenset[Role]:
        """Return the roles of a caller, with those that they imply."""
        lines, admins = self._current_lines(), self._admins.names()
        found = self._found
        if found.lines is not lines or found.admins is not admins or len(found.roles) >= _MOST_REMEMBERED:
            found = self._found = _Found(lines, admins)
        roles = found.roles.get(identity)
        if roles is None:
            roles = found.roles[identity] = found.of(identity)
        return roles

    def troubles(self) -> dict[str, str]:
        """Read the file of roles again if it has changed; return why it cannot be used, nothing if none is set."""
        return {"roles": self.file.current_trouble()} if self._is_set else {}

    def admins(self) -> tuple[str, ...]:
        """Return the names and patterns of admins, for sentences that say who can help."""
        patterns = (line.pattern for line in self._current_lines() if line.role is Role.ADMIN)
        return tuple(dict.fromkeys((*sorted(self._admins.names()), *patterns)))

    def _current_lines(self) -> tuple[RoleLine, ...]:
        return self.file.value if self._is_set else ()

    def _parsed(self, text: str) -> tuple[RoleLine, ...]:
        lines = parse(text)
        _log.info("read the file of roles; number of lines: %d", len(lines), extra={"path": str(self.file.path)})
        return lines
