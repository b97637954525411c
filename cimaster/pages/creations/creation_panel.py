"""Clusters being created, and the status of each policy: a panel on the dashboard, and a page with all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response, render_template, request

from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import Visitor, current_visitor, element_id, fragment_tag, latest
from cimaster.pages.policies.policy_panel import PolicyLine, lines
from cimaster.pool import Pool
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.creation import FAILED, READY, Creation
from cimaster.pool.records.record import BROKEN
from cimaster.repository.snapshots import Snapshot
from cimaster.web import callers
from cimaster.web.components import components

READY_FOR = timedelta(minutes=30)  # a creation that is ready stays on the pages for this time
_MOST_ROWS = 20  # on the dashboard; the page of the creations has all
ON_DASHBOARD = {"creations-summary": "fragments/creations_summary.html"}
"""What changes on the dashboard with the creations."""
_LINKS = (("statusLink", "status"), ("logLink", "log"))


@dataclass(frozen=True)
class Row:
    """One creation as pages show it. Plain values only, because the panel's tag is computed from them."""

    id: str
    reference: str
    state: str
    purpose: str
    user: str
    by_policy: bool
    retried_by: str
    job: str
    branch: str
    progress: str
    job_runs: bool
    cluster: str
    is_in_pool: bool
    since: datetime | None
    ends: datetime | None
    next_try: datetime | None
    links: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...]

    @property
    def name(self) -> str:
        """The name in buttons and forms."""
        return f"{self.purpose} for {'its policy' if self.by_policy else self.user}"


@dataclass(frozen=True)
class Panel:
    """What the panel shows; `more` counts the creations that only the page with `everything` shows."""

    tag: str
    rows: tuple[Row, ...]
    lines: tuple[PolicyLine, ...]
    why_idle: str
    count: str
    more: int
    everything: bool


def context(snapshot: Snapshot, everything: bool = False) -> dict[str, Any]:
    """Build the context of fragments/creations.html."""
    return {"creations": _panel(snapshot, everything)}


def _panel(snapshot: Snapshot, everything: bool) -> Panel:
    pool, visitor, now = snapshot.pool, current_visitor(), components().clusters.now()
    recent = _ranked([creation for creation in reversed(pool.creations) if _is_recent(creation, now)])
    shown = recent if everything else recent[:_MOST_ROWS]
    rows = tuple(row(pool, creation, visitor, now) for creation in shown)
    policy_lines = lines(snapshot, visitor)
    why_idle = components().provisioning.why_idle if pool.policies else ""
    count, more = _counted(recent), len(recent) - len(shown)
    tag = fragment_tag(snapshot, rows, policy_lines, why_idle, count, more)
    return Panel(tag, rows, policy_lines, why_idle, count, more, everything)


def _ranked(newest_first: list[Creation]) -> list[Creation]:
    """Sort creations: open ones first, then failed ones, then ready ones.

    A policy's earlier failures come last, because its newest failure says enough.
    """
    newest_failure = {creation.purpose: creation for creation in reversed(newest_first) if _failed_for_policy(creation)}

    def rank(creation: Creation) -> int:
        if _failed_for_policy(creation) and newest_failure[creation.purpose] is not creation:
            return 3
        return 0 if creation.is_open else 1 if creation.state in (FAILED, BROKEN) else 2

    return sorted(newest_first, key=rank)


def _failed_for_policy(creation: Creation) -> bool:
    return creation.state == FAILED and creation.by_policy


def _is_recent(creation: Creation, now: datetime) -> bool:
    ready = creation.get_time("readyAt")
    return creation.is_shown and (creation.state != READY or ready is None or now - ready < READY_FOR)


def _counted(shown: list[Creation]) -> str:
    states = ["being created" if creation.is_open else creation.state for creation in shown]
    return " · ".join(
        f"{states.count(state)} {state}" for state in ("being created", FAILED, BROKEN, READY) if state in states
    )


def row(pool: Pool, creation: Creation, visitor: Visitor, now: datetime) -> Row:
    """Return a creation as a visitor sees it."""
    cluster = creation.cluster if creation.state == READY else ""
    words = creation.reason if creation.state == FAILED else descriptions.progress(creation)
    is_busy, why_none = creation.in_progress(now), components().provisioning.why_none
    buttons = action_buttons.for_creation(creation, visitor, callers.caller(), is_busy, why_none)
    return Row(
        id=element_id(f"creation {creation.id}"),
        reference=creation.id,
        state=creation.state,
        purpose="a broken record" if creation.fault else creation.purpose,
        user=creation.user or "an unknown user",
        by_policy=creation.by_policy,
        retried_by=creation.get_text("retriedBy"),
        job=creation.job,
        branch=creation.branch,
        progress="; ".join((words, *descriptions.unreadable_fields(creation))),
        job_runs=creation.job_runs,
        cluster=cluster,
        is_in_pool=cluster in pool.positions,
        since=_since(creation),
        ends=creation.gives_up_at,
        next_try=creation.next_try(now),
        links=tuple(_links(creation)),
        actions=tuple(buttons),
    )


def _since(creation: Creation) -> datetime | None:
    ended = creation.get_time("readyAt" if creation.state == READY else "failedAt")
    return ended or creation.get_time("retriedAt") or creation.get_time("requestedAt")


def _links(creation: Creation) -> Iterator[tuple[str, str]]:
    """Yield pairs of text and URL. Stored data may be edited by hand, so only http(s) URLs become links."""
    for field, text in _LINKS:
        address = creation.get_text(field)
        if address.startswith(("http://", "https://")):
            yield text, address


@pages.get("/ui/creations")
def creations_page() -> str:
    """Show all creations, including those that do not fit on the dashboard."""
    return render_template("creations.html", **context(latest(), everything=True))


@pages.get("/ui/fragments/creations")
def creations_fragment() -> Response:
    """Answer a poll of the panel."""
    shown = context(latest(), everything="all" in request.args)
    panel = shown["creations"]
    others = {} if panel.everything else ON_DASHBOARD
    return poll_response(
        "fragments/creations.html", panel.tag, lambda: shown, others, triggers_refresh=panel.everything
    )
