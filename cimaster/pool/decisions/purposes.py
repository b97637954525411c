"""Set the rules for the clusters of a purpose: checks, cleaning, and what follows an expired lease."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.times import format_duration, format_time
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.purpose import CLEAN, QUARANTINE, VACANT, PurposeRules

AFTER_EXPIRY_WORDS = {
    "": "same as after a finish",
    VACANT: "vacant immediately",
    CLEAN: "cleaned",
    QUARANTINE: "quarantined",
}


@dataclass(frozen=True)
class PurposeTerms:
    """The rules that an admin sets; None keeps the current value, and an empty text removes it."""

    check: str | None = None
    check_every: timedelta | None = None
    clean: str | None = None
    after_expiry: str | None = None

    def edits(self) -> dict[str, str | None]:
        """Return the fields to write; None removes a field."""
        given = {
            "check": self.check,
            "checkEvery": format_duration(self.check_every) if self.check_every else None,
            "clean": self.clean,
            "afterExpiry": self.after_expiry,
        }
        return {key: value or None for key, value in given.items() if value is not None}


def set_purpose(pool: Pool, now: datetime, purpose: str, by: str, terms: PurposeTerms) -> tuple[Pool, Answer]:
    """Change the rules for the clusters of a purpose; a record without any rule is removed."""
    edits = terms.edits()
    if not edits:
        raise MissingParameter("nothing to change: give check, every, clean or after_expiry", parameter="check")
    known = next((rules for rules in pool.purpose_rules if rules.purpose == purpose and not rules.fault), None)
    before = known or PurposeRules({"purpose": purpose})
    after = before.edited({**edits, "setBy": by, "setAt": format_time(now)})
    if after.after_expiry == CLEAN and not after.clean:
        raise BadParameter(
            f"after_expiry is clean, but {purpose} clusters are not cleaned: send clean too", parameter="after_expiry"
        )
    if known and all(before.fields.get(key) == value for key, value in edits.items()):
        return pool, Answer(f"the rules of {purpose} are unchanged")
    others = tuple(rules for rules in pool.purpose_rules if rules.purpose != purpose)
    kept = (after,) if after.fields.keys() - {"purpose", "setBy", "setAt"} else ()
    pool = dataclasses.replace(pool, purpose_rules=tuple(sorted((*others, *kept), key=lambda rules: rules.purpose)))
    return pool, Answer(f"{purpose} clusters: {describe(after)}")


def describe(rules: PurposeRules) -> str:
    """Say in words how the clusters of a purpose are checked and cleaned."""
    parts = [
        f"checked by {rules.check} every {format_duration(rules.check_every)}" if rules.check else "not checked",
        f"cleaned by {rules.clean} after each use" if rules.clean else "not cleaned",
    ]
    if rules.after_expiry:
        parts.append(f"{AFTER_EXPIRY_WORDS[rules.after_expiry]} after a lease ran out")
    return ", ".join(parts)
