"""Authentication: callers send one of the tokens in a file."""

from cimaster.common.token_file import KnownToken, TokenFile
from cimaster.common.watched_file import WatchedFile
from cimaster.manual_trigger.errors import NoToken


class Tokens:
    """The tokens of a file, as themselves or hashed. If it cannot be read, or has none, every request is refused."""

    def __init__(self, path: str) -> None:
        self._tokens = TokenFile(path, raw=True)

    @property
    def file(self) -> WatchedFile[tuple[KnownToken, ...]]:
        """The file, for reports on its state."""
        return self._tokens.file

    def require(self, authorization: str) -> None:
        """Raise NoToken unless the header has a known token; takes the same time for each token."""
        scheme, _, token = authorization.partition(" ")
        known = self._tokens.find(token.strip())
        if scheme.lower() != "bearer" or not token.strip():
            raise NoToken("the request has no token: send the header Authorization: Bearer <token>")
        if known is None:
            raise NoToken(
                "the token is unknown: send another one, or have an operator add it to the service's token file"
            )
