"""Files with one or two secrets: the second one is there while the first is being replaced."""

import re

from cimaster.common.watched_file import WatchedFile

_SECRET = re.compile(r"[!-+\x2d-~]{32,1000}")  # no comma: servers join repeated headers with it
_MOST = 2


def watched(path: str) -> WatchedFile[tuple[bytes, ...]]:
    """Return the secrets of a file, the current one first; none if the file cannot be used."""
    return WatchedFile(path, parse, (), keep_last_good=False)


def parse(text: str) -> tuple[bytes, ...]:
    """Read one secret per line; blank lines, and lines that begin with #, are skipped."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    secrets = [(number, line) for number, line in lines if line and not line.startswith("#")]
    for number, line in secrets:
        if not _SECRET.fullmatch(line):
            raise ValueError(
                f"line {number} is no secret of 32 to 1000 printable ASCII characters without blanks and commas: "
                "make one with `openssl rand -hex 32`"
            )
    if not 1 <= len(secrets) <= _MOST:
        raise ValueError(f"it has {len(secrets)} secrets: write one on a line, or two while one replaces the other")
    return tuple(line.encode() for _, line in secrets)
