"""The pools that keep themselves filled: a line each on the first page, and the table of the inventory."""

from dataclasses import dataclass

from flask import Response

from cimaster.common.times import format_duration
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import served
from cimaster.pages.frame.visitors import Visitor, element_id, latest, tag, visitor
from cimaster.pool.decisions.automatic_top_up import PolicyDescription, describe
from cimaster.pool.records.policy import Policy
from cimaster.repository.snapshots import Snapshot
from cimaster.services.provisioning import BRANCH
from cimaster.web.components import components


@dataclass(frozen=True)
class Line:
    """One policy as pages tell of it. Plain values only: what tags are made of."""

    id: str
    name: str
    terms: tuple[tuple[str, str], ...]
    hours: str
    stands: PolicyDescription
    actions: tuple[Action, ...]

    @property
    def reference(self) -> str:
        """How forms name it."""
        return self.name

    @property
    def fields(self) -> dict[str, str]:
        """Its terms, as the fields of a form have them."""
        return dict(self.terms)


@dataclass(frozen=True)
class Panel:
    """What the inventory says of policies; `why_idle` where nothing acts on them."""

    tag: str
    lines: tuple[Line, ...]
    why_idle: str
    is_admin: bool
    usual_job: str
    usual_branch: str = BRANCH


def lines(snapshot: Snapshot, who: Visitor) -> tuple[Line, ...]:
    """Describe the policies to a visitor, by purpose."""
    pool, now, buttons = snapshot.pool, components().clusters.clock(), tuple(action_buttons.of_policy(who))
    acts = not components().provisioning.why_idle
    told = [
        Line(_id(each), each.purpose, _terms(each), each.hours_with_zone, describe(pool, each, now, acts), buttons)
        for each in pool.policies
    ]
    return tuple(sorted(told, key=lambda line: line.name))


def _id(policy: Policy) -> str:
    return element_id(f"policy {policy.purpose}")


def _terms(policy: Policy) -> tuple[tuple[str, str], ...]:
    numbers = {"min_vacant": policy.min_vacant, "max_total": policy.max_total, "max_creating": policy.max_creating}
    texts = {"cooldown": format_duration(policy.cooldown), "hours": policy.hours}
    said = {**numbers, **texts, "branch": policy.branch, "job": policy.job}
    return tuple((name, str(value)) for name, value in said.items())


def panel(snapshot: Snapshot) -> Panel:
    """Return what the inventory says of policies."""
    who, creations = visitor(), components().provisioning
    told = lines(snapshot, who)
    return Panel(tag(snapshot, told, creations.why_idle), told, creations.why_idle, who.is_admin, creations.default_job)


@pages.get("/ui/fragments/policies")
def policies_fragment() -> Response:
    """Keep the policies up to date."""
    filled = panel(latest())
    return served("fragments/policies.html", filled.tag, lambda: {"filled": filled}, leads=False)
