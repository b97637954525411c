"""The page with the changes of all clusters, newest first, and a form that chooses among them."""

import itertools
from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common import parameters
from cimaster.errors import BadParameter
from cimaster.pages.clusters import state_durations, timeline
from cimaster.pages.clusters.state_durations import Durations
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import latest
from cimaster.pool.records.history import Entry
from cimaster.repository.snapshots import Snapshot
from cimaster.services.history import HistoryFilter, Page
from cimaster.web import endpoints, history_lists, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListHistory

FILTERS = ("cluster", "person", "job", "kind", "since", "until")
_SPANS = (("1d", "24 hours"), ("7d", "7 days"), ("30d", "30 days"))
_EVENTS = (
    *("taken", "finished", "renewed", "lease ended", "take undone"),
    *("held", "held when free", "hold extended", "hold shared", "released", "hold ended", "handed over", "taken over"),
    *("added", "imported", "updated", "deleted", "disabled", "enabled", "suspect", "quarantined", "healthy"),
    *("clean passed", "clean failed", "check failed", "clean cancelled", "changes missing"),
)
_SHOWN, _EXPORTED = 100, 10_000  # changes
_READ_FOR_DURATIONS = 5_000  # changes: the end of a state may not match the filter
_LONGEST = 253  # characters of a filter


@dataclass(frozen=True)
class Shown:
    """The changes that the page shows, and how long the states lasted that they began."""

    page: Page
    durations: Durations

    @property
    def changes(self) -> list[tuple[Entry, timeline.Change]]:
        """The stored changes, each with what the page shows of it."""
        return list(zip(self.page.entries, timeline.changes(self.page.entries, self.durations), strict=True))


@pages.get("/ui/history")
def history_page() -> tuple[str, int]:
    """Show the changes that the form chooses."""
    sent = {name: request.args.get(name, "")[:_LONGEST] for name in (*FILTERS, "after")}
    filters = {name: sent[name] for name in FILTERS if sent[name]}
    try:
        shown, refusal = _shown(sent), None
    except BadParameter as error:
        shown, refusal = Shown(Page([], None), {}), error
    following = shown.page.following
    html = render_template(
        "history.html",
        filters=filters,
        refusal=refusal,
        is_first=not sent["after"],
        changes=shown.changes,
        reason=history_lists.reason,
        trouble=shown.page.trouble,
        events=_EVENTS,
        spans=_span_links(filters),
        newest_url=_url("pages.history_page", filters),
        older_url=_url("pages.history_page", filters, after=str(following)) if following else "",
        exports=_export_links(filters),
    )
    return html, refusal.status if refusal else 200


def _shown(sent: dict[str, str]) -> Shown:
    """Return the changes; BadParameter for a filter that cannot be read."""
    wanted = parameters.read(ListHistory, endpoints.HISTORY.parameters, MultiDict(sent))
    chosen, snapshot = request_parameters.history_filter(wanted, components().clusters.now()), latest()
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        raise BadParameter("since is not before until, so no change can match: exchange them", parameter="since")
    page = components().history.page(snapshot, chosen, _SHOWN, wanted.after)
    return Shown(page, _durations(snapshot, chosen.cluster, page.entries))


def _durations(snapshot: Snapshot, cluster: str, entries: list[Entry]) -> Durations:
    """Return how long the states lasted that these changes began."""
    oldest = min((entry.at for entry in entries if entry.at), default=None)
    since_then = HistoryFilter(cluster=cluster, since=oldest)
    everything = components().history.entries(snapshot, since_then)
    return state_durations.of(itertools.islice(everything, _READ_FOR_DURATIONS))


def _span_links(filters: dict[str, str]) -> list[tuple[str, bool, str]]:
    """Return links to the changes of the last days: the words, whether they are shown now, and the address."""
    chosen = filters.get("since")
    return [(words, span == chosen, _url("pages.history_page", filters, since=span)) for span, words in _SPANS]


def _export_links(filters: dict[str, str]) -> list[tuple[str, str]]:
    """Return the formats in which the chosen changes can be downloaded, and the addresses."""
    return [(kind, _url("api.history", filters, format=kind.lower(), limit=_EXPORTED)) for kind in ("CSV", "JSON")]


def _url(endpoint: str, filters: dict[str, str], **values: Any) -> str:
    given: dict[str, Any] = {**filters, **values}
    return url_for(endpoint, **given)
