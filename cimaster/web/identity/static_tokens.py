"""Static tokens: placeholder until the branch `sources` lands."""

from cimaster.web.identity.identity import Identity


class StaticTokens:
    """The tokens of a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def find(self, token: str) -> Identity | None:
        """Return the caller that has a token; None if it is unknown."""
        raise NotImplementedError(token)

    def has(self, name: str, credential: str) -> bool:
        """Say whether the caller still has the token that began a session."""
        raise NotImplementedError(name, credential)
