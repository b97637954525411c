"""The clusters that are being created, and how each policy stands: live on the first page, and on one of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, render_template, request

from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import served
from cimaster.pages.frame.visitors import Visitor, element_id, latest, tag, visitor
from cimaster.pages.policies.policy_panel import Line, lines
from cimaster.pool import Pool
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.creation import FAILED, READY, Creation
from cimaster.pool.records.record import BROKEN
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

READY_FOR = timedelta(minutes=30)  # for which one that is ready is still news
_MOST = 5  # on the first page, so that the table stays in sight
_LINKS = (("statusLink", "status"), ("logLink", "log"))


@dataclass(frozen=True)
class Row:
    """One creation as pages tell of it. Plain values only: what the panel's tag is made of."""

    id: str
    reference: str
    state: str
    purpose: str
    user: str
    by_policy: bool
    again_by: str
    job: str
    branch: str
    words: str
    job_runs: bool
    cluster: str
    is_there: bool
    since: datetime | None
    ends: datetime | None
    next_try: datetime | None
    links: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...]

    @property
    def name(self) -> str:
        """What buttons and forms call it."""
        return f"{self.purpose} for {'its policy' if self.by_policy else self.user}"


@dataclass(frozen=True)
class Panel:
    """What the panel shows; `more` creations are on the page that shows `everything`."""

    tag: str
    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    why_idle: str
    count: str
    more: int
    everything: bool


def panel(snapshot: Snapshot, everything: bool = False) -> Panel:
    """Return the creations that people want to see, and how each policy stands."""
    pool, who, now = snapshot.pool, visitor(), components().clusters.clock()
    shown = _ranked([creation for creation in reversed(pool.creations) if _is_news(creation, now)])
    drawn = shown if everything else shown[:_MOST]
    rows = tuple(row(pool, creation, who, now) for creation in drawn)
    stand, why_idle = lines(snapshot, who), components().provisioning.why_idle if pool.policies else ""
    count, more = _counted(shown), len(shown) - len(drawn)
    return Panel(tag(snapshot, rows, stand, why_idle, count, more), rows, stand, why_idle, count, more, everything)


def _ranked(newest_first: list[Creation]) -> list[Creation]:
    """Return those on their way, then failures, then what is ready.

    What failed for a policy before its last failure comes last: that one tells all.
    """
    last = {creation.purpose: creation for creation in reversed(newest_first) if _failed_for_policy(creation)}

    def rank(creation: Creation) -> int:
        if _failed_for_policy(creation) and last[creation.purpose] is not creation:
            return 3
        return 0 if creation.is_open else 1 if creation.state in (FAILED, BROKEN) else 2

    return sorted(newest_first, key=rank)


def _failed_for_policy(creation: Creation) -> bool:
    return creation.state == FAILED and creation.by_policy


def _is_news(creation: Creation, now: datetime) -> bool:
    ready = creation.get_time("readyAt")
    return creation.is_shown and (creation.state != READY or ready is None or now - ready < READY_FOR)


def _counted(shown: list[Creation]) -> str:
    states = ["being created" if creation.is_open else creation.state for creation in shown]
    return " · ".join(
        f"{states.count(state)} {state}" for state in ("being created", FAILED, BROKEN, READY) if state in states
    )


def row(pool: Pool, creation: Creation, who: Visitor, now: datetime) -> Row:
    """Describe a creation to a visitor."""
    cluster = creation.cluster if creation.state == READY else ""
    words = creation.reason if creation.state == FAILED else descriptions.progress(creation)
    buttons = action_buttons.of_creation(creation, who, creation.in_progress(now), components().provisioning.why_none)
    return Row(
        element_id(f"creation {creation.id}"),
        creation.id,
        creation.state,
        "a broken record" if creation.fault else creation.purpose,
        creation.user or "an unknown user",
        creation.by_policy,
        creation.get_text("retriedBy"),
        creation.job,
        creation.branch,
        "; ".join((words, *descriptions.unreadable_fields(creation))),
        creation.job_runs,
        cluster,
        cluster in pool.positions,
        _since(creation),
        creation.gives_up_at,
        creation.next_try(now),
        tuple(_links(creation)),
        tuple(buttons),
    )


def _since(creation: Creation) -> datetime | None:
    ended = creation.get_time("readyAt" if creation.state == READY else "failedAt")
    return ended or creation.get_time("retriedAt") or creation.get_time("requestedAt")


def _links(creation: Creation) -> Iterator[tuple[str, str]]:
    """Yield words and addresses; data written by hand may hold what is no address of a page."""
    for field, words in _LINKS:
        address = creation.get_text(field)
        if address.startswith(("http://", "https://")):
            yield words, address


@pages.get("/ui/creations")
def all_creations() -> str:
    """Show all creations, those too for which the first page has no room."""
    return render_template("creations.html", coming=panel(latest(), everything=True))


@pages.get("/ui/fragments/creations")
def creations_fragment() -> Response:
    """Keep the panel up to date."""
    coming = panel(latest(), everything="all" in request.args)
    return served("fragments/creations.html", coming.tag, lambda: {"coming": coming}, leads=coming.everything)
