"""A request that was carried out, as the pool remembers it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from cimaster.pool.records import json_edit
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.record import BROKEN, Fields, digest_of


def request_key(identity: str) -> str:
    """Return the key of a remembered request: a short hash of its id, which may be long."""
    return hashlib.blake2s(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class RememberedRequest:
    """A request that was carried out, kept for an hour in case its caller repeats it."""

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

    @classmethod
    def parse(cls, text: str, value: object) -> "RememberedRequest":
        """Read a stored request; a broken one is kept unchanged while there is room for it."""
        fields = Fields(value if isinstance(value, dict) else {})
        request_id = fields.get_id("id")  # earlier versions wrote the id itself
        key = request_key(request_id) if request_id else fields.get_id("key") or f"{BROKEN}-{digest_of(text)}"
        return cls(
            key,
            fields.get_text("hash"),
            fields.get_text("verb"),
            fields.get_text("at"),
            fields.get_text("cluster"),
            fields.get_text("say"),
            fields.get_id("lease"),
            fields.get_text("owner"),
            text,
        )

    @cached_property
    def text(self) -> str:
        """The request's JSON; exactly as stored if it was read from the store."""
        if self.stored:
            return self.stored
        given = {name: getattr(self, name) for name in self.NAMES}
        return dump({name: value for name, value in given.items() if value})

    @cached_property
    def size(self) -> int:
        """Its bytes in the stored object."""
        return len(self.text.encode("utf-8", "surrogatepass")) + 2


def parse_requests(text: str, known: Iterable[RememberedRequest] = ()) -> dict[str, RememberedRequest]:
    """Read the stored requests by key, reusing the `known` ones; ValueError if the text is not an array."""
    reusable = {request.text: request for request in known}
    read = json_edit.parse_lines(text, reusable, RememberedRequest.parse)
    return {request.key: request for request in read}
