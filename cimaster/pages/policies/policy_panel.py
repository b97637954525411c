"""Automatic top-up: a line per policy on the dashboard, and a table on the inventory page."""

from dataclasses import dataclass
from typing import Any

from flask import Response

from cimaster.common.times import format_duration
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import Visitor, current_visitor, element_id, fragment_tag, latest
from cimaster.pool.decisions.automatic_top_up import PolicyDescription, describe
from cimaster.pool.records.policy import Policy
from cimaster.repository.snapshots import Snapshot
from cimaster.services.provisioning import BRANCH
from cimaster.web.components import components


@dataclass(frozen=True)
class PolicyLine:
    """One policy as pages show it. Plain values only, because tags are computed from them."""

    id: str
    name: str
    terms: tuple[tuple[str, str], ...]
    hours: str
    status: PolicyDescription
    actions: tuple[Action, ...]

    @property
    def reference(self) -> str:
        """The value that forms send for it."""
        return self.name

    @property
    def fields(self) -> dict[str, str]:
        """Its terms as the fields of a form."""
        return dict(self.terms)


@dataclass(frozen=True)
class Panel:
    """What the inventory page shows of policies; `why_idle` says why they are not applied here.

    `why_not` says why the visitor may not change them.
    """

    tag: str
    lines: tuple[PolicyLine, ...]
    why_idle: str
    why_not: str
    usual_job: str
    usual_branch: str = BRANCH


def lines(snapshot: Snapshot, visitor: Visitor) -> tuple[PolicyLine, ...]:
    """Return one line per policy, sorted by purpose."""
    pool, now, buttons = snapshot.pool, components().clusters.now(), tuple(action_buttons.for_policy(visitor))
    is_applied = not components().provisioning.why_idle
    unsorted = [
        PolicyLine(
            id=element_id(f"policy {policy.purpose}"),
            name=policy.purpose,
            terms=_terms(policy),
            hours=policy.hours_with_zone,
            status=describe(pool, policy, now, is_applied),
            actions=buttons,
        )
        for policy in pool.policies
    ]
    return tuple(sorted(unsorted, key=lambda line: line.name))


def _terms(policy: Policy) -> tuple[tuple[str, str], ...]:
    return (
        ("min_vacant", str(policy.min_vacant)),
        ("max_total", str(policy.max_total)),
        ("max_creating", str(policy.max_creating)),
        ("cooldown", format_duration(policy.cooldown)),
        ("hours", policy.hours),
        ("branch", policy.branch),
        ("job", policy.job),
    )


def context(snapshot: Snapshot) -> dict[str, Any]:
    """Build the context of fragments/policies.html."""
    visitor, provisioning = current_visitor(), components().provisioning
    shown, why_idle = lines(snapshot, visitor), provisioning.why_idle
    tag = fragment_tag(snapshot, shown, why_idle)
    return {"policies": Panel(tag, shown, why_idle, action_buttons.why_not_admin(visitor), provisioning.default_job)}


@pages.get("/ui/fragments/policies")
def policies_fragment() -> Response:
    """Answer a poll of the table."""
    shown = context(latest())
    return poll_response("fragments/policies.html", shown["policies"].tag, lambda: shown, triggers_refresh=False)
