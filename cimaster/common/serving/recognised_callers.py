"""Remembers whose credentials the application has recognised: callers behind one address then have turns of their own.

A credential that was never recognised counts for its address, so made-up ones gain no turns. The service accounts of
all jobs may be one owner, so the address is part of what takes turns: each job's machine has its own.

Only the event loop uses this module, so it needs no lock.
"""

_MOST = 4096  # credentials that are remembered: those that were used last


class RecognisedCallers:
    """The owner of each credential that was recognised lately, by the credential's digest; an empty one is none."""

    def __init__(self) -> None:
        self._owners: dict[bytes, str] = {}

    def caller(self, address: str, credential: bytes) -> str:
        """Return what a request with a credential takes turns as: its owner at its address, or only its address."""
        owner = self._owners.get(credential)
        return f"{owner} at {address}" if owner else address

    def note(self, credential: bytes, owner: str, *, refused: bool) -> None:
        """Note that the application has recognised an owner, or has refused a request without recognising one."""
        if credential and owner:
            self._owners.pop(credential, None)  # so that the newest stands last
            self._owners[credential] = owner
        elif refused:
            self._owners.pop(credential, None)
        if len(self._owners) > _MOST:
            del self._owners[next(iter(self._owners))]
