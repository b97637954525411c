"""The page with the changes of all clusters, newest first, and a form that chooses among them."""

from typing import Any

from flask import render_template, request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common import parameters
from cimaster.errors import BadParameter
from cimaster.pages.clusters import timeline
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import latest
from cimaster.services.history import Page
from cimaster.web import endpoints, history_lists, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListHistory

FILTERS = ("cluster", "person", "job", "kind", "since", "until")
_SHOWN, _IN_CSV = 100, 10_000  # changes
_LONGEST = 253  # characters of a filter


@pages.get("/ui/history")
def history_page() -> tuple[str, int]:
    """Show the changes that the form chooses."""
    sent = {name: request.args.get(name, "")[:_LONGEST] for name in (*FILTERS, "after")}
    filters = {name: sent[name] for name in FILTERS if sent[name]}
    try:
        page, refusal = _page(sent), None
    except BadParameter as error:
        page, refusal = Page([], None), error
    html = render_template(
        "history.html",
        filters=filters,
        refusal=refusal,
        is_first=not sent["after"],
        changes=list(zip(page.entries, timeline.changes(page.entries), strict=True)),
        reason=history_lists.reason,
        trouble=page.trouble,
        now=components().clusters.now(),
        newest_url=_url("pages.history_page", filters),
        older_url=_url("pages.history_page", filters, after=str(page.following)) if page.following else "",
        csv_url=_url("api.history", filters, format="csv", limit=_IN_CSV),
    )
    return html, refusal.status if refusal else 200


def _page(sent: dict[str, str]) -> Page:
    """Return the changes; BadParameter for a filter that cannot be read."""
    wanted = parameters.read(ListHistory, endpoints.HISTORY.parameters, MultiDict(sent))
    chosen = request_parameters.history_filter(wanted, components().clusters.now())
    return components().history.page(latest(), chosen, _SHOWN, wanted.after)


def _url(endpoint: str, filters: dict[str, str], **values: Any) -> str:
    given: dict[str, Any] = {**filters, **values}
    return url_for(endpoint, **given)
