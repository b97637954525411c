"""Files of callers' tokens, which CIMaster and manual-trigger read alike.

A line is `sha256:<64 hex digits> <name>`: the file then lets its reader check tokens, and not send them. manual-trigger
also takes lines that begin with the token itself, because its first files had nothing else.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cimaster.common.texts import printable
from cimaster.common.watched_file import WatchedFile

_HASHED = "sha256:"
_HASHED_LINE = re.compile(r"sha256:([0-9A-Fa-f]{64})[ \t]+(\S.*)")


@dataclass(frozen=True)
class KnownToken:
    """One line of a token file; the name is empty where the line begins with the token itself."""

    name: str
    digest: bytes = field(repr=False)

    @property
    def credential(self) -> str:
        """The beginning of the digest, which tells the tokens of one caller apart and is no secret."""
        return self.digest.hex()[:16]


class TokenFile:
    """The tokens of a file, read again when it changes. If it cannot be used, no token is known.

    `name` reads the name of a line, and raises ValueError with what was expected. `raw` allows lines with the token
    itself.
    """

    def __init__(self, path: str, name: Callable[[str], str] = printable, *, raw: bool = False) -> None:
        self._name = name
        self._raw = raw
        self.file: WatchedFile[tuple[KnownToken, ...]] = WatchedFile(path, self._parsed, (), keep_last_good=False)

    def find(self, token: str) -> KnownToken | None:
        """Return the line of a token; None if there is none. It takes the same time for each token."""
        sent, found = digest(token), None
        for known in self.file.value:
            if hmac.compare_digest(sent, known.digest):
                found = known
        return found if token else None

    def _parsed(self, text: str) -> tuple[KnownToken, ...]:
        lines: dict[bytes, tuple[int, KnownToken]] = {}
        for number, known in self._lines(text):
            first, same = lines.setdefault(known.digest, (number, known))
            if same.name and known.name and same.name != known.name:
                raise ValueError(f"lines {first} and {number} give one token to two callers: make another token")
        if not lines:
            raise ValueError("it has no token: write one per line")
        return tuple(known for _, known in lines.values())

    def _lines(self, text: str) -> Iterator[tuple[int, KnownToken]]:
        for number, line in enumerate(text.splitlines(), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                yield number, self._known(number, stripped)

    def _known(self, number: int, line: str) -> KnownToken:
        hashed = _HASHED_LINE.fullmatch(line)
        if hashed:
            return KnownToken(self._read_name(number, hashed[2]), bytes.fromhex(hashed[1]))
        if line.lower().startswith(_HASHED):
            raise ValueError(f"line {number} is not `sha256:<64 hex digits> <name>`: make it with `cimaster token`")
        if not self._raw:
            raise ValueError(f"line {number} is not a hashed token: hash it with `cimaster token --hash <name>`")
        return KnownToken("", digest(line.split(maxsplit=1)[0]))

    def _read_name(self, number: int, text: str) -> str:
        if "#" in text:
            raise ValueError(f"line {number} has a # after the name: put comments on lines of their own")
        try:
            return self._name(text)
        except ValueError as error:
            raise ValueError(f"the name in line {number} cannot be used: expected {error}") from None


def digest(token: str) -> bytes:
    """Return the SHA-256 of a token, as it is compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def hashed_line(token: str, name: str) -> str:
    """Return the line of a file for a token and the name of its caller."""
    return f"{_HASHED}{digest(token).hex()} {name}"
