"""A request that was carried out, as the pool remembers it: short, because every write sends all of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import accumulate

from cimaster.common.times import format_time
from cimaster.pool.records import json_edit
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.record import BROKEN, Fields, digest_of
from cimaster.pool.records.short_forms import (
    TIME_LENGTH,
    long_hex,
    long_time,
    padded,
    short_hash,
    short_hex,
    short_time,
    unpadded,
)

_KEY_LENGTH, _HASH_LENGTH, _OWNER_LENGTH = 11, 6, 5  # characters of the hashes
_LENGTHS = (1, _KEY_LENGTH, TIME_LENGTH, _HASH_LENGTH, _OWNER_LENGTH)
_STARTS = tuple(accumulate(_LENGTHS, initial=0))
_HASHES_LENGTH = sum(_LENGTHS)
_VERBS = {"g": "getvacant", "f": "finishtest", "h": "holdcluster", "r": "releasecluster", "n": "renewlease"}
_LETTERS = {verb: letter for letter, verb in _VERBS.items()}
_USUAL_ANSWERS = {"finishtest": "cluster {} is finished", "releasecluster": "cluster {} is released"}


def request_key(identity: str) -> str:
    """Return the key of a remembered request: a short hash of its id, which may be long."""
    return hashlib.blake2s(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def hash_of_parameters(digest: str) -> str:
    """Return the hash by which `RememberedRequest.hash` names the verb and parameters with this digest."""
    return short_hash(digest, _HASH_LENGTH)


@dataclass(frozen=True)
class RememberedRequest:
    """A request that was carried out, kept for an hour in case its caller repeats it.

    `hash` and `owner` are short hashes. A take that was granted says nothing; one that left the queue says why.
    """

    key: str
    hash: str
    verb: str
    at: datetime | None
    cluster: str = ""
    say: str = ""
    lease: str = ""
    owner: str = ""
    stored: str = field(default="", compare=False)

    @classmethod
    def new(
        cls,
        identity: str,
        digest: str,
        verb: str,
        now: datetime,
        cluster: str = "",
        say: str = "",
        lease: str = "",
        owner: str = "",
    ) -> "RememberedRequest":
        """Remember a request by its request_id, the digest of its parameters, and its caller."""
        at, caller = now.replace(microsecond=0), short_hash(owner, _OWNER_LENGTH)
        return cls(request_key(identity), hash_of_parameters(digest), verb, at, cluster, say, lease, caller)

    @classmethod
    def parse(cls, text: str, value: object) -> "RememberedRequest":
        """Read a stored request; a broken one is kept unchanged while there is room for it."""
        if isinstance(value, str) and (request := _read_short(value, text)):
            return request
        return cls._read_long(text, Fields(value if isinstance(value, dict) else {}))

    @classmethod
    def _read_long(cls, text: str, fields: Fields) -> "RememberedRequest":
        """Read an object: earlier versions wrote those, and so does this one where the short form cannot say it."""
        request_id = fields.get_id("id")  # the earliest versions wrote the id itself
        key = request_key(request_id) if request_id else fields.get_id("key") or f"{BROKEN}-{digest_of(text)}"
        return cls(
            key,
            fields.get_text("sum") or hash_of_parameters(fields.get_text("hash")),
            fields.get_text("verb"),
            fields.get_time("at"),
            fields.get_text("cluster") if fields.get_text("verb") != "getvacant" else "",
            fields.get_text("say"),
            fields.get_id("lease"),
            fields.get_text("from") or short_hash(fields.get_text("owner"), _OWNER_LENGTH),
            text,
        )

    @cached_property
    def text(self) -> str:
        """The request's JSON; exactly as stored if it was read from the store."""
        if self.stored:
            return self.stored
        short = _written_short(self)
        return dump(short) if _read_short(short, "") == self else dump(self._long_form())

    def _long_form(self) -> dict[str, str]:
        known = {
            "key": self.key,
            "sum": self.hash,
            "verb": self.verb,
            "at": format_time(self.at) if self.at else "",
            "cluster": self.cluster,
            "say": self.say,
            "lease": self.lease,
            "from": self.owner,
        }
        return {name: value for name, value in known.items() if value}

    @cached_property
    def size(self) -> int:
        """Its bytes in the stored object."""
        return len(self.text.encode("utf-8", "surrogatepass")) + 2


def _written_short(request: RememberedRequest) -> str:
    """Return a letter for the verb, the hashes and the time, and after them cluster, lease and answer if needed."""
    parts = (
        _LETTERS.get(request.verb, "?"),
        short_hex(request.key),
        short_time(request.at),
        request.hash,
        request.owner,
    )
    hashes = "".join(padded(part, length) for part, length in zip(parts, _LENGTHS, strict=True))
    usual = _USUAL_ANSWERS.get(request.verb, "").format(request.cluster)
    details = (request.cluster, short_hex(request.lease), "" if request.say == usual else request.say)
    return f"{hashes}{' '.join(details)}".rstrip()


def _read_short(stored: str, text: str) -> RememberedRequest | None:
    """Read what `_written_short` wrote; None for any other text."""
    letter, key, at, digest, owner = (
        stored[start : start + length] for start, length in zip(_STARTS, _LENGTHS, strict=False)
    )
    verb = _VERBS.get(letter)
    if verb is None or len(stored) < _HASHES_LENGTH:
        return None
    cluster, lease, say = (*stored[_HASHES_LENGTH:].split(" ", 2), "", "")[:3]
    return RememberedRequest(
        long_hex(key),
        unpadded(digest),
        verb,
        long_time(unpadded(at)),
        cluster,
        say or _USUAL_ANSWERS.get(verb, "").format(cluster),
        long_hex(lease),
        unpadded(owner),
        text,
    )


def parse_requests(text: str, known: Iterable[RememberedRequest] = ()) -> dict[str, RememberedRequest]:
    """Read the stored requests by key, reusing the `known` ones; ValueError if the text is not an array."""
    reusable = {request.text: request for request in known}
    read = json_edit.parse_lines(text, reusable, RememberedRequest.parse)
    return {request.key: request for request in read}
