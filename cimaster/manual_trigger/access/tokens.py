"""Authentication: callers send one of the tokens in a file."""

import hashlib
import hmac

from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.errors import NoToken


def parse(text: str) -> tuple[bytes, ...]:
    """Return the digest of each line's first word; the rest of a line, and lines that begin with #, are comments."""
    words = [line.split(maxsplit=1) for line in text.splitlines()]
    tokens = [first for first, *_ in filter(None, words) if not first.startswith("#")]
    if not tokens:
        raise ValueError("it has no token: write one per line")
    return tuple(_digest(token) for token in tokens)


class Tokens:
    """The tokens of a file. If it cannot be read, or has none, every request is refused."""

    def __init__(self, path: str) -> None:
        self.file: WatchedFile[tuple[bytes, ...]] = WatchedFile(path, parse, (), keep_last_good=False)

    def require(self, authorization: str) -> None:
        """Raise NoToken unless the header has a known token; takes the same time for each token."""
        scheme, _, token = authorization.partition(" ")
        sent = _digest(token.strip())
        known = [hmac.compare_digest(sent, digest) for digest in self.file.value]
        if scheme.lower() != "bearer" or not token.strip():
            raise NoToken("the request has no token: send the header Authorization: Bearer <token>")
        if not any(known):
            raise NoToken(
                "the token is unknown: send another one, or have an operator add it to the service's token file"
            )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
