"""The page on which admins import an inventory: a file or a text, then the plan, which is carried out as it was shown.

No session keeps the plan. The form that shows it sends the text of the file again, with a digest of the plan.
"""

from dataclasses import dataclass
from typing import Any

from flask import Response, g, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from cimaster.common.file_text import decoded
from cimaster.common.serving.request_arrival import BODY_LIMIT
from cimaster.errors import BadBody, MissingParameter, PlanChanged, Problem, Refusal, StoreTrouble
from cimaster.pages.frame import cookies
from cimaster.pages.frame.blueprint import pages, redirect_to
from cimaster.pages.frame.cookies import Message
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool.decisions import inventory_import, selection
from cimaster.pool.decisions.inventory_import import ImportAnswer, ImportPlan
from cimaster.pool.decisions.inventory_plan import Inventory, SyncTerms
from cimaster.services import inventory_file
from cimaster.services.inventory_import import carry_out
from cimaster.web import access, endpoints, problems
from cimaster.web.components import components

_ROOM = 4096  # bytes of a request for its other fields
_LIMIT = BODY_LIMIT - _ROOM
_MOST_CLUSTERS = 2000  # more than fit into a pool, even with short names and without other facts
_REASON = "imported"


@dataclass(frozen=True)
class Sent:
    """What the form sent: the text of the inventory, and whether to remove clusters that it does not list."""

    text: str = ""
    removes: bool = False


@pages.get("/ui/admin/import")
def import_inventory() -> Response:
    """Show the form."""
    return _page()


@access.allow(endpoints.ADMINS)
@pages.post("/ui/admin/import")
def preview_import() -> Response:
    """Show what an import would change."""
    sent = Sent()
    try:
        sent = _read()
        return _preview(sent, _inventory(sent.text))
    except (Refusal, StoreTrouble) as refusal:
        return _page(sent, refusal=refusal)


@access.allow(endpoints.ADMINS)
@pages.post("/ui/admin/applyimport")
def apply_import() -> Response:
    """Carry out the plan that was shown; if the pool has changed, show the new one."""
    sent = Sent()
    try:
        sent = _read()
        wanted = _inventory(sent.text)
        return _applied(sent, wanted)
    except PlanChanged as refusal:
        return _preview(sent, wanted, refusal)
    except (Refusal, StoreTrouble) as refusal:
        return _page(sent, refusal=refusal)


def _read() -> Sent:
    """Read the form. NotAuthorized unless the visitor is an admin; BadBody if the file is too large, or not text."""
    try:
        text, file, removes = request.form.get("text", ""), request.files.get("file"), "removes" in request.form
        text = text.removeprefix("\ufeff")  # a byte order mark that was pasted with it
    except RequestEntityTooLarge:
        raise _too_large() from None
    access.require_admin(current_visitor().name or "without a name")
    if file and file.filename:
        if text.strip():
            raise BadBody("there are a file and a text: choose a file or paste a text, not both")
        try:
            text = decoded(file.read())
        except ValueError as error:
            raise BadBody(f"the file is not text: {error}") from None
    if not text.strip():
        raise MissingParameter("there is nothing to import: choose a file, or paste a text", parameter="text")
    if _size_in_form(text) > _LIMIT:
        raise _too_large()
    return Sent(text, removes)


def _inventory(text: str) -> Inventory:
    wanted = inventory_file.read(text)
    if len(wanted) > _MOST_CLUSTERS:
        raise BadBody(
            f"the file lists {len(wanted)} clusters, more than the {_MOST_CLUSTERS} that a pool can have: shorten it"
        )
    return wanted


def _size_in_form(text: str) -> int:
    """Return how many bytes a browser sends for a text in a form: its line breaks become CR LF."""
    return len(text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode())


def _too_large() -> BadBody:
    return BadBody(
        f"the file is larger than {_LIMIT // 1024} kB, the limit of this page (a line break counts as two bytes): send "
        "CSV, which is smaller, import it in parts, or use `cimaster import --sync`"
    )


def _preview(sent: Sent, wanted: Inventory, refusal: Problem | None = None) -> Response:
    plan = inventory_import.plan(latest().pool, wanted, removes=sent.removes)
    if not plan.steps:
        return _page(sent, plan)  # also if Apply was pressed twice: nothing is left to refuse
    try:
        plan.check()
    except Refusal as emptied:
        refusal = refusal or emptied
    return _page(sent, plan, refusal)


def _applied(sent: Sent, wanted: Inventory) -> Response:
    terms = SyncTerms(current_visitor().name, reason=_REASON, or_force="")
    seen = request.form.get("plan", "")
    committed = carry_out(components().clusters.repository, wanted, seen, terms, removes=sent.removes)
    cookies.remember(seen=max(committed.commit, cookies.seen()))
    answer = committed.answer
    assert isinstance(answer, ImportAnswer)
    failed = [result for result in answer.results if result.outcome == selection.FAILED]
    summary, target = selection.summary(answer.results), url_for("pages.inventory_page")
    if failed:
        heading = summary.partition(":")[0]
        return Response(render_template("form_report.html", summary=heading, failed=failed, target=target))
    cookies.leave_message(Message(f"the inventory is imported: {summary}"))
    return redirect_to(target)


def _page(sent: Sent = Sent(), plan: ImportPlan | None = None, refusal: Problem | None = None) -> Response:
    """Return the form, or the plan with the refusal that may have led to it."""
    context: dict[str, Any] = {"sent": sent, "plan": plan, "refusal": refusal}
    response = problems.refused(refusal) if refusal else Response()
    if refusal:
        g.refused = refusal.sentence
    response.set_data(render_template("import.html", limit=_LIMIT // 1024, **context))
    response.mimetype = "text/html"
    return response
