"""Who may call: programs that show one of the tokens in a file."""

import hashlib
import hmac

from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.errors import NoToken


def parse(text: str) -> tuple[bytes, ...]:
    """Read tokens as digests: the first word of each line; the rest of it, and lines that begin with #, are remarks."""
    words = [line.split(maxsplit=1) for line in text.splitlines()]
    tokens = [first for first, *_ in filter(None, words) if not first.startswith("#")]
    if not tokens:
        raise ValueError("it has no token; write one per line")
    return tuple(_digest(token) for token in tokens)


class Callers:
    """The tokens of a file. If it cannot be read, or is empty, nobody gets in."""

    def __init__(self, path: str) -> None:
        self.file: WatchedFile[tuple[bytes, ...]] = WatchedFile(path, parse, (), keeps=False)

    def require(self, authorization: str) -> None:
        """Raise NoToken unless the header shows a token that is known; the time it takes tells nothing of which."""
        scheme, _, token = authorization.partition(" ")
        shown = _digest(token.strip())
        known = [hmac.compare_digest(shown, digest) for digest in self.file.value]
        if scheme.lower() != "bearer" or not token.strip():
            raise NoToken("a token is needed: send the header Authorization: Bearer <token>")
        if not any(known):
            raise NoToken("the token is not known here; an operator adds one to the service's token file")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
