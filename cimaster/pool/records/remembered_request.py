"""A request that was carried out, as the pool remembers it."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from cimaster.pool.records.json_values import dump


def request_key(identity: str) -> str:
    """Return what a request is remembered by: a short hash of its id, which may be long."""
    return hashlib.blake2s(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class RememberedRequest:
    """A request that was carried out, kept for an hour for callers that repeat it."""

    NAMES: ClassVar[tuple[str, ...]] = ("key", "hash", "verb", "at", "cluster", "say", "lease", "owner")

    key: str
    hash: str
    verb: str
    at: str
    cluster: str = ""
    say: str = ""
    lease: str = ""
    owner: str = ""
    stored: str = field(default="", compare=False)

    @cached_property
    def text(self) -> str:
        """The request's JSON, byte for byte as stored where it was read."""
        if self.stored:
            return self.stored
        given = {name: getattr(self, name) for name in self.NAMES}
        return dump({name: value for name, value in given.items() if value})

    @cached_property
    def size(self) -> int:
        """Bytes that it takes in the stored object."""
        return len(self.text.encode("utf-8", "surrogatepass")) + 2
