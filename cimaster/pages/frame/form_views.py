"""Shows forms and carries them out, on a page of their own or in the dialog of another page.

A refused form is shown again with what was entered. One that was carried out leads back to the page where it was
opened; htmx gets only the element of that page that has changed.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, g, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.errors import Problem, Refusal, StoreTrouble
from cimaster.pages.frame import addresses, cookies, forms, outages
from cimaster.pages.frame.blueprint import is_htmx_request, pages, redirect_to, shown
from cimaster.pages.frame.cookies import Message
from cimaster.pages.frame.forms import Form, Result
from cimaster.pages.frame.fragments import trigger_header
from cimaster.pages.frame.visitors import element_id, latest, own_name
from cimaster.repository.configmap_repository import Committed
from cimaster.web import access, problems

BLOCKED = "for the next change you must give your name again"
BLOCKED_HOLD = "the hold is made; to release it you must give your name again"
_FIELDS = {"label": "labels"}  # the field of a parameter, where its name differs


def serve(form: Form[Any]) -> None:
    """Register the routes of a form: GET shows it, POST carries it out."""

    def show_form() -> Response:
        return show(form)

    @access.allow(form.endpoint.roles)
    def send() -> Response:
        return _send(form)

    pages.add_url_rule(form.path, form.verb, show_form, methods=["GET"])
    pages.add_url_rule(form.path, f"send_{form.verb}", send, methods=["POST"])


def show(form: Form[Any]) -> Response:
    """Show a form, with the values of the query in its fields."""
    not_allowed = forms.not_allowed(form)
    context = _context(form, request.args, not_allowed)
    context["is_closed"] = not_allowed is not None  # no field or button is of use
    if context["refusal"]:
        return _refused(form, context)
    return Response(_render(form, context))


def _send(form: Form[Any]) -> Response:
    try:
        parameters = forms.read(form)
        g.endpoint, g.parameters = form.endpoint, parameters
        committed = form.carry_out(parameters)
    except (Refusal, StoreTrouble) as refusal:
        if is_htmx_request() and request.headers.get("HX-Target") != "div#dialog-content":
            return _refused_button(refusal)
        return _refused(form, _context(form, MultiDict(request.form), refusal))
    return _done(form, committed, parameters.name)


def _context(form: Form[Any], values: Mapping[str, str], refusal: Problem | None = None) -> dict[str, Any]:
    """Return what a form shows: its subject as it is now, the values of its fields, and why it was refused."""
    context = form.context(values, refusal is not None)
    refusal = refusal or context.get("refusal")
    parameter = refusal.facts.get("parameter") if refusal else None
    defaults = context.get("facts", {})
    context.update(
        form=form,
        row=context.get("row"),
        facts=defaults,
        values={**defaults, **values},
        back=addresses.return_address(),
        refusal=refusal,
        refused_field=_FIELDS.get(str(parameter), parameter),
    )
    return context


def _render(form: Form[Any], context: dict[str, Any]) -> str:
    cookies.probe()
    return render_template(form.template if is_htmx_request() else "form_page.html", **context)


def _refused(form: Form[Any], context: dict[str, Any]) -> Response:
    """Show the form again, with the refusal and what was entered."""
    response = problems.refused(context["refusal"])
    response.set_data(_render(form, context))
    response.mimetype = "text/html"
    if request.method == "POST":
        _refresh_page(response)
    return response


def _refused_button(refusal: Problem) -> Response:
    """Show a refusal above the page: the button that was pressed opens no form."""
    pool, name = latest().pool, str(refusal.facts.get("cluster", ""))
    about = {"about": element_id(name), "rev": pool.find(name).digest} if name in pool.positions else {}
    response = shown(problems.refused(refusal), refusal.sentence, outages.next_step(refusal), **about)
    _refresh_page(response)
    return response


def _refresh_page(response: Response) -> None:
    """Have the page poll all its fragments now: the pool differs from what it shows, or has just changed."""
    response.headers["HX-Trigger"] = trigger_header("pool-acted", "pool-changed")


def _done(form: Form[Any], committed: Committed, name: str) -> Response:
    """Go back to where the form was opened, or send the element of that page that has changed."""
    newly_named, blocked = not own_name(), cookies.blocked() and access.is_open()
    subject = request.form.get(form.subject, "") if form.subject else ""
    target = addresses.return_address()
    is_page_gone = form.destroys and target == addresses.cluster_url(subject)
    if is_page_gone:
        target = url_for("pages.dashboard")
    message = _message(form, committed, name, blocked)
    cookies.remember(seen=max(committed.commit, cookies.seen()))
    if newly_named:
        cookies.remember(name=name)
    if report := form.report(committed):
        return _reported(report, target)
    if is_htmx_request() and (blocked or not newly_named) and not is_page_gone:
        page = addresses.without_prefix(target)
        return _updated(form, Result(page, subject, committed, latest(committed.commit)), message)
    if blocked:
        return Response(render_template("form_done.html", message=message, target=target))
    cookies.leave_message(message)
    return redirect_to(target)


def _reported(report: dict[str, Any], target: str) -> Response:
    """Show the results of a form in its place."""
    template = "fragments/form_report.html" if is_htmx_request() else "form_report.html"
    response = Response(render_template(template, target=target, **report))
    _refresh_page(response)
    return response


def _message(form: Form[Any], committed: Committed, name: str, blocked: bool) -> Message:
    """Return the message of success, and the record for which it holds."""
    text = printable(form.message(committed, name))
    if blocked:
        text += f". Your browser blocks cookies: {BLOCKED_HOLD if form.leaves_hold else BLOCKED}"
    cluster = committed.answer.cluster
    if cluster is None:
        return Message(text)
    return Message(text, element_id(cluster.name), cluster.digest, form.undo(committed, name))


def _updated(form: Form[Any], result: Result, message: Message) -> Response:
    """Return the element of the open page that has changed, and the message of success."""
    update = form.update(result)
    context = update.context if update else {}
    response = Response(render_template("form_done_fragment.html", update=update, message=message, **context))
    _refresh_page(response)
    return response
