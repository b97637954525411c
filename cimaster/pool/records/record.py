"""Stored records: how their fields are read, even from damaged data, and how they are edited.

Each type of value is read in one place. A value that cannot be read is ignored, but kept.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self

from cimaster.common.times import stored_duration, stored_time
from cimaster.pool.records import json_edit
from cimaster.pool.records.field_types import DURATIONS, LARGEST_NUMBER, checked, is_id
from cimaster.pool.records.json_values import dump

BROKEN = "broken"  # the state of a record that an admin has to correct or delete


class Fields:
    """The members of an object, each read as the type it should have; none of these methods raises."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields

    def get_text(self, key: str) -> str:
        """Return a text; empty if it is missing or of another type."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def get_id(self, key: str) -> str:
        """Return an id; empty unless CIMaster or one of its callers could have made it."""
        value = self.fields.get(key)
        return value if is_id(value) else ""

    def get_time(self, key: str) -> datetime | None:
        """Return a time; None if it is missing, unreadable or far outside this century."""
        return stored_time(self.fields.get(key))

    def get_duration(self, key: str) -> timedelta | None:
        """Return a duration; None if it is missing, unreadable or longer than a century."""
        return stored_duration(self.fields.get(key))

    def get_number(self, key: str) -> int:
        """Return a number from 0 to a billion; 0 if it is missing or anything else."""
        value = self.fields.get(key)
        return value if type(value) is int and 0 <= value <= LARGEST_NUMBER else 0

    def get_flag(self, key: str) -> bool:
        """Say whether the field is true."""
        return self.fields.get(key) is True

    def has(self, key: str) -> bool:
        """Say whether the field has a value, readable or not."""
        return self.fields.get(key) not in (None, "")

    def unreadable_among(self, *keys: str) -> tuple[str, ...]:
        """Return which of these times and durations have an unreadable value."""
        return tuple(key for key in keys if self.has(key) and self._get_time_or_duration(key) is None)

    def _get_time_or_duration(self, key: str) -> datetime | timedelta | None:
        return self.get_duration(key) if key in DURATIONS else self.get_time(key)


def digest_of(text: str) -> str:
    """Return eight hex digits that identify a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class Record(Fields):
    """An immutable record: `fields` are its readable members, `text` is its JSON, with the stored bytes unless edited.

    `fault` says why the record cannot be used; empty if it can.
    """

    TIMES: ClassVar[tuple[str, ...]] = ()
    """The times and durations that are reported if they cannot be read."""

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
        """Return the record marked as broken, with this fault."""
        return type(self)({}, self.text, fault)

    @cached_property
    def text(self) -> str:
        """The record's JSON."""
        return dump(self.fields) if self._object is None else str(self._object)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The times and durations with an unreadable value, which is ignored."""
        return self.unreadable_among(*self.TIMES)

    @cached_property
    def digest(self) -> str:
        """Eight hex digits of the content's hash, by which a broken record can be named safely."""
        return digest_of(self.text)

    def _edited(self, edits: Mapping[str, Any]) -> tuple[dict[str, Any], json_edit.ObjectText]:
        """Return fields and text with some members changed; None removes a member."""
        fields = {**self.fields, **checked(edits)}
        for key, value in edits.items():
            if value is None:
                del fields[key]
        return fields, self._parsed_object().edited(edits)

    def _parsed_object(self) -> json_edit.ObjectText:
        if self._object is None:
            self._object = json_edit.ObjectText.parse(self.text)
        return self._object


def expiry_fault(error: Exception) -> str:
    """Return the fault of a record whose expiry failed with this error."""
    return f"its expiry failed ({type(error).__name__})"
