"""Sessions of browsers: placeholder until the branch `sources` lands."""

from dataclasses import dataclass
from datetime import datetime

from cimaster.common.clock import Clock
from cimaster.web.identity.identity import Identity


@dataclass(frozen=True)
class Session:
    """A session, with the identity that it authenticates."""

    identity: Identity
    issued: datetime
    expires: datetime


class Sessions:
    """Signed sessions."""

    def __init__(self, key_file: str, clock: Clock | None = None) -> None:
        self.key_file, self.clock = key_file, clock

    def read(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it is not valid."""
        raise NotImplementedError(cookie)
