"""Static tokens: a file of the operator has the hash of each token and the name of its caller."""

from cimaster.common.token_file import TokenFile
from cimaster.web.identity import names
from cimaster.web.identity.identity import Identity, Source


class StaticTokens:
    """The tokens of a file, read again when it changes. If it cannot be used, no token is known."""

    def __init__(self, path: str) -> None:
        self._tokens = TokenFile(path, names.caller)

    @property
    def trouble(self) -> str:
        """Why the file cannot be used; empty if it can."""
        return self._tokens.file.current_trouble()

    def find(self, token: str) -> Identity | None:
        """Return the caller with a token; None if the token is unknown. It takes the same time for each token."""
        known = self._tokens.find(token)
        return Identity(known.name, Source.STATIC, credential=known.credential) if known else None

    def has(self, name: str, credential: str) -> bool:
        """Say whether a caller still has the token of which `Identity.credential` is the beginning of the digest."""
        return any((known.name, known.credential) == (name, credential) for known in self._tokens.file.value)
