"""Show what the clusters were used for."""

from flask import Response, request

from cimaster.api.routes import route
from cimaster.services.usage import UsageReport
from cimaster.web import endpoints, responses, usage_lists, usage_questions
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ShowUsage
from cimaster.web.negotiation import wants_json


@route(endpoints.USAGE)
def usage(params: ShowUsage) -> Response:
    """Show usage as text, JSON or CSV."""
    snapshot = components().clusters.view()
    report = components().usage.report(snapshot, usage_questions.question(params))
    return responses.dated(_answer(params.format or _accepted(), report), snapshot)


def _accepted() -> str:
    if request.accept_mimetypes.best_match(["text/plain", "application/json", "text/csv"]) == "text/csv":
        return "csv"
    return "json" if wants_json() else "text"


def _answer(kind: str, report: UsageReport) -> Response:
    if kind == "json":
        return responses.json_text(usage_lists.as_json(report))
    if kind == "csv":
        response = responses.answer(usage_lists.as_csv(report).encode("utf-8", "replace"), 200, "text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="usage-by-{report.by}.csv"'
        return response
    return responses.text_answer(usage_lists.as_text(report))
