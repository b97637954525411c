"""List the history of changes."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from flask import Response, request

from cimaster.api.routes import route
from cimaster.services.history import Page, Position
from cimaster.web import endpoints, history_lists, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListHistory
from cimaster.web.negotiation import CSV, JSON, JSON_LINES, MIMETYPES, TEXT, list_format

_WRITERS: Mapping[str, Callable[[Page], str]] = {
    TEXT: history_lists.as_text,
    JSON: lambda page: history_lists.as_json(page) + "\n",
    CSV: history_lists.as_csv,
    JSON_LINES: history_lists.as_json_lines,
}


@route(endpoints.HISTORY)
def history(params: ListHistory) -> Response:
    """List changes, newest first."""
    snapshot = components().clusters.view()
    wanted = request_parameters.history_filter(params, components().clusters.now())
    page = components().history.page(snapshot, wanted, params.limit, params.after)
    kind = list_format(params.format, CSV, JSON_LINES)
    text = _WRITERS[kind](page)
    response = responses.dated(responses.answer(text.encode("utf-8", "replace"), 200, MIMETYPES[kind]), snapshot)
    if kind == CSV:
        response.headers["Content-Disposition"] = 'attachment; filename="history.csv"'
    if page.following:
        response.headers["CIMaster-Next"] = str(page.following)
        response.headers["Link"] = f'<?{_query(page.following)}>; rel="next"'
    return response


def _query(after: Position) -> str:
    """Return the query for the changes after a position, with the filters of this request."""
    filters = [(name, text) for name, text in request.args.items(multi=True) if name != "after"]
    return urlencode([*filters, ("after", str(after))])
