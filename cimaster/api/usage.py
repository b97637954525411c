"""Show what the clusters were used for."""

from flask import Response

from cimaster.api.routes import route
from cimaster.services.usage import UsageReport
from cimaster.web import endpoints, responses, usage_lists, usage_questions
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ShowUsage
from cimaster.web.negotiation import CSV, JSON, MIMETYPES, list_format


@route(endpoints.USAGE)
def usage(params: ShowUsage) -> Response:
    """Show usage as text, JSON or CSV."""
    snapshot = components().clusters.view()
    report = components().usage.report(snapshot, usage_questions.question(params))
    return responses.dated(_answer(list_format(params.format, CSV), report), snapshot)


def _answer(kind: str, report: UsageReport) -> Response:
    if kind == JSON:
        return responses.json_text(usage_lists.as_json(report))
    if kind == CSV:
        response = responses.answer(usage_lists.as_csv(report).encode("utf-8", "replace"), 200, MIMETYPES[CSV])
        response.headers["Content-Disposition"] = f'attachment; filename="usage-by-{report.by}.csv"'
        return response
    return responses.text_answer(usage_lists.as_text(report))
