"""Why is nothing vacant? A line on the dashboard for each purpose of which no cluster can be lent now."""

from dataclasses import dataclass, replace
from typing import Any

from flask import Response

from cimaster.pages.clusters.view import View, requested_view
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import fragment_tag, latest
from cimaster.pool.decisions import shortages
from cimaster.pool.decisions.shortages import Shortage
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

_MOST_LINES = 3  # so that the table of clusters stays in sight


@dataclass(frozen=True)
class ShortageLines:
    """What fragments/shortages.html shows; `more` is how many further purposes have no vacant cluster."""

    view: View
    tag: str
    lines: list[Shortage]
    more: int

    @property
    def is_narrowed(self) -> bool:
        """Whether the lines count fewer clusters than all of a purpose, because a filter is set."""
        return bool(replace(self.view.of_any_state, purpose=""))


def context(snapshot: Snapshot, view: View) -> dict[str, Any]:
    """Build the context of fragments/shortages.html, about the clusters that match the filter in any state."""
    found = [] if view.filter.holder else view.of_any_state.of(snapshot.pool)
    tops_up = not components().provisioning.why_idle
    lines = shortages.of(snapshot.pool, found, components().clusters.now(), tops_up=tops_up)
    tag = fragment_tag(snapshot, view.query, lines)
    return {"shortages": ShortageLines(view, tag, lines[:_MOST_LINES], len(lines[_MOST_LINES:]))}


@pages.get("/ui/fragments/shortages")
def shortages_fragment() -> Response:
    """Answer a poll of the lines."""
    shown = context(latest(), requested_view())
    return poll_response("fragments/shortages.html", shown["shortages"].tag, lambda: shown, triggers_refresh=False)
