"""Records as they are stored: what can be read of them, whatever was written there, and how they change.

Each kind of value is read in one place. What cannot be read counts as not given, and stays where it is.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar

from cimaster.common.times import stored_duration, stored_time
from cimaster.pool.records import json_edit
from cimaster.pool.records.json_values import dump, sound

BROKEN = "broken"  # the state of a record that an admin has to mend or delete
MOST = 1_000_000_000  # the largest number that a record of ours may hold
_IDENTITY = re.compile(r"[!-~]{1,256}")


class Fields:
    """The members of an object, each read as what it is meant to be; none of these methods raises."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields

    def get_text(self, key: str) -> str:
        """Return a text; empty where there is none."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def get_id(self, key: str) -> str:
        """Return an id; empty where there is none that we, or a caller of ours, could have made."""
        value = self.fields.get(key)
        return value if isinstance(value, str) and _IDENTITY.fullmatch(value) else ""

    def get_time(self, key: str) -> datetime | None:
        """Return a time; None where there is none of about this century."""
        return stored_time(self.fields.get(key))

    def get_duration(self, key: str) -> timedelta | None:
        """Return a duration; None where there is none of less than a century."""
        return stored_duration(self.fields.get(key))

    def get_number(self, key: str) -> int:
        """Return a number from 0 to a billion; 0 where there is none."""
        value = self.fields.get(key)
        return value if type(value) is int and 0 <= value <= MOST else 0

    def get_flag(self, key: str) -> bool:
        """Say whether that is true."""
        return self.fields.get(key) is True

    def has(self, key: str) -> bool:
        """Say whether anything stands there, readable or not."""
        return self.fields.get(key) not in (None, "")

    def unreadable_among(self, *keys: str) -> tuple[str, ...]:
        """Return which of these times and durations stand there and cannot be read."""
        return tuple(
            key for key in keys if self.has(key) and (self.get_duration if key in SPANS else self.get_time)(key) is None
        )


def digest_of(text: str) -> str:
    """Return eight hex digits that tell a text from any other."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class Record(Fields):
    """An immutable record. `fields` is what can be read of it; `text` its JSON, byte for byte as stored unless changed.

    `fault` says why nothing can be done with the record; empty where it is whole.
    """

    TIMES: ClassVar[tuple[str, ...]] = ()
    """The times and durations of which people are told where they cannot be read."""

    def __init__(
        self, fields: Mapping[str, Any], text: str | json_edit.ObjectText | None = None, fault: str = ""
    ) -> None:
        self.fields = fields
        self.fault = fault
        self._object: json_edit.ObjectText | None = None
        if isinstance(text, str):
            self.text = text
        elif text is not None:
            self._object = text

    def as_broken(self, fault: str) -> Self:
        """Return the record as one with which nothing can be done."""
        return type(self)({}, self.text, fault)

    @cached_property
    def text(self) -> str:
        """The record's JSON."""
        return dump(self.fields) if self._object is None else str(self._object)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The times and durations that stand there and cannot be read: they count as not given, so they are no ends."""
        return self.unreadable_among(*self.TIMES)

    @cached_property
    def digest(self) -> str:
        """Eight hex digits that tell this very content from any other, to name a broken record safely."""
        return digest_of(self.text)

    def _edited(self, edits: Mapping[str, Any]) -> tuple[dict[str, Any], json_edit.ObjectText]:
        """Return fields and text with some members changed; None leaves a member out."""
        fields = {**self.fields, **check(edits)}
        for key, value in edits.items():
            if value is None:
                del fields[key]
        return fields, self._taken_apart().edited(edits)

    def _taken_apart(self) -> json_edit.ObjectText:
        if self._object is None:
            self._object = json_edit.ObjectText.parse(self.text)
        return self._object


def expiry_fault(error: Exception) -> str:
    """Return the fault of a record of which nobody can work out what time changes."""
    return f"what time changes of it cannot be worked out ({type(error).__name__})"


_Kept = TypeVar("_Kept", bound=Record)
_DUPLICATE = "another one before it has the same name"


def by_text(known: Iterable[_Kept]) -> dict[str, _Kept]:
    """Return records that were read before, by their text; what only its neighbours broke is to be read again."""
    return {record.text: record for record in known if record.fault != _DUPLICATE}


def mark_duplicates(records: Iterable[_Kept], name: Callable[[_Kept], str]) -> tuple[_Kept, ...]:
    """Return the records, those that have the name of an earlier one as broken."""
    seen: set[str] = set()
    kept = []
    for record in records:
        kept.append(record.as_broken(_DUPLICATE) if not record.fault and name(record) in seen else record)
        seen.add("" if record.fault else name(record))
    return tuple(kept)


SPANS = ("leaseTtl", "holdFor", "keeps", "ttl", "cooldown", "waited")


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_identity(value: object) -> bool:
    return type(value) is str and _IDENTITY.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return type(value) is str and (value.isascii() or sound(value) == value)


_KINDS: Mapping[Callable[[Any], object], tuple[str, ...]] = {
    stored_duration: SPANS,
    stored_time: (
        "acquiredAt",
        "leaseExpires",
        "heldAt",
        "holdExpires",
        "vacantSince",
        "at",
        "since",
        "until",
        "here",
        "requestedAt",
        "retriedAt",
        "triggeredAt",
        "readyAt",
        "failedAt",
        "jobEnded",
        "deadline",
        "claimUntil",
        "nextTry",
    ),
    _is_flag: ("hold", "disabled", "policy", "force", "maybeBegun", "jobGuessed"),
    _is_number: ("tries", "round", "minVacant", "maxTotal", "maxCreating"),
    _is_identity: ("leaseId", "requestId", "id"),
    _is_text: (
        "name",
        "status",
        "region",
        "purpose",
        "osimage",
        "note",
        "lastJob",
        "lastBuild",
        "lastTriggerName",
        "leaseJob",
        "leaseBuild",
        "requestHash",
        "holdBy",
        "holdDesc",
        "disabledBy",
        "disabledReason",
        "cluster",
        "event",
        "from",
        "to",
        "by",
        "job",
        "build",
        "reason",
        "holder",
        "newHolder",
        "hash",
        "priority",
        "state",
        "user",
        "branch",
        "message",
        "jobName",
        "statusLink",
        "logLink",
        "failure",
        "claimBy",
        "retriedBy",
        "dismissedBy",
        "hours",
        "verb",
        "say",
    ),
}
_IS: Mapping[str, Callable[[Any], object]] = {key: kind for kind, keys in _KINDS.items() for key in keys}


def check(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is about to be written; TypeError where it could not be read again as what it is meant to be."""
    for key, value in fields.items():
        is_kind = _IS.get(key)
        if is_kind and value is not None and not is_kind(value):
            raise TypeError(f"{key} would become {value!r:.80}, which cannot be read again")
    return fields
