"""The rules for the clusters of one purpose: how they are checked and cleaned, and what follows an expired lease."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from cimaster.pool.records import faults, record_lists
from cimaster.pool.records.json_edit import ObjectText
from cimaster.pool.records.record import BROKEN, Record

DEFAULT_CHECK_EVERY = timedelta(minutes=10)
VACANT, CLEAN, QUARANTINE = "vacant", "clean", "quarantine"
AFTER_EXPIRY = (VACANT, CLEAN, QUARANTINE)


class PurposeRules(Record):
    """The record of a purpose's rules; unknown fields are kept. One with a `fault` has no effect until corrected.

    `check` and `clean` are names of checks that the operator defined; empty means none.
    """

    TIMES = ("checkEvery",)

    def __init__(self, fields: Mapping[str, Any], text: str | ObjectText | None = None, fault: str = "") -> None:
        super().__init__(fields, text)
        self.fault = fault or faults.of_purpose(fields, AFTER_EXPIRY)
        self.purpose = self.get_text("purpose") or f"{BROKEN}-{self.digest}"
        self.check, self.clean = self.get_text("check"), self.get_text("clean")
        self.after_expiry = self.get_text("afterExpiry")

    @classmethod
    def parse(cls, text: str, value: object) -> "PurposeRules":
        """Read a stored record. A broken one is kept unchanged, and ignored until it is corrected or removed."""
        fault = faults.of_object(value)
        return cls(value if isinstance(value, dict) else {}, text, fault)

    def edited(self, edits: Mapping[str, object]) -> "PurposeRules":
        """Return the record with some rules changed; None removes one."""
        return PurposeRules(*self._edited(edits))

    def described(self) -> dict[str, Any]:
        """Return the fields that callers may see."""
        if self.get_text("purpose") == self.purpose:
            return {**self.fields, **({"fault": self.fault} if self.fault else {})}
        return {"purpose": self.purpose, "fault": self.fault, "record": self.text}

    @property
    def check_every(self) -> timedelta:
        """The time between two checks of a vacant cluster."""
        return self.get_duration("checkEvery") or DEFAULT_CHECK_EVERY


NO_RULES = PurposeRules({"purpose": "default"})  # of purposes without rules


def parse_purposes(text: str, known: Iterable[PurposeRules] = ()) -> tuple[PurposeRules, ...]:
    """Read the stored rules, reusing the `known` ones; ValueError if the text is not an array."""
    return record_lists.parse(text, known, PurposeRules.parse, lambda rules: rules.purpose)
