"""Checks and cleaning: how the clusters of each purpose are treated, as a table on the inventory page."""

from dataclasses import dataclass
from typing import Any

from flask import Response

from cimaster.common.times import format_duration
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import Visitor, current_visitor, element_id, fragment_tag, latest
from cimaster.pool.decisions.purposes import AFTER_EXPIRY_WORDS
from cimaster.pool.records.purpose import PurposeRules
from cimaster.repository.snapshots import Snapshot


@dataclass(frozen=True)
class PurposeLine:
    """The rules of one purpose as pages show them. Plain values only, because tags are computed from them."""

    id: str
    name: str
    rules: tuple[tuple[str, str], ...]
    fault: str
    actions: tuple[Action, ...]

    @property
    def reference(self) -> str:
        """The value that forms send for it."""
        return self.name

    @property
    def fields(self) -> dict[str, str]:
        """Its rules as the fields of a form."""
        return dict(self.rules)


def lines(snapshot: Snapshot, visitor: Visitor) -> tuple[PurposeLine, ...]:
    """Return one line for each purpose, also for those without rules."""
    pool, buttons = snapshot.pool, tuple(action_buttons.for_purpose(visitor))
    in_force = {rules.purpose for rules in pool.purpose_rules if not rules.fault}
    faults = {rules.purpose: rules.fault for rules in pool.purpose_rules if rules.purpose not in in_force}
    return tuple(
        PurposeLine(
            id=element_id(f"purpose {purpose}"),
            name=purpose,
            rules=_fields(pool.rules_for(purpose)),
            fault=faults.get(purpose, ""),
            actions=buttons,
        )
        for purpose in sorted({*pool.purposes(), *faults})
    )


def _fields(rules: PurposeRules) -> tuple[tuple[str, str], ...]:
    return (
        ("check", rules.check),
        ("every", format_duration(rules.check_every)),
        ("clean", rules.clean),
        ("after_expiry", rules.after_expiry),
    )


def context(snapshot: Snapshot) -> dict[str, Any]:
    """Build the context of fragments/purposes.html."""
    shown = lines(snapshot, current_visitor())
    tag = fragment_tag(snapshot, shown)
    return {"purpose_lines": shown, "purposes_tag": tag, "after_expiry": AFTER_EXPIRY_WORDS}


@pages.get("/ui/fragments/purposes")
def purposes_fragment() -> Response:
    """Answer a poll of the table."""
    shown = context(latest())
    return poll_response("fragments/purposes.html", shown["purposes_tag"], lambda: shown, triggers_refresh=False)
