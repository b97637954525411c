"""Forms shown and sent, alone on a page or in the dialog; a refused one comes back as it was filled in."""

from collections.abc import Mapping
from typing import Any

from flask import Response, g, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.errors import ClusterNotVacant, Problem, Refusal, StoreTrouble
from cimaster.pages.clusters import cluster_forms, cluster_page, cluster_rows
from cimaster.pages.creations import creation_forms, creation_panel
from cimaster.pages.frame import addresses, cookies, forms
from cimaster.pages.frame.blueprint import is_htmx_request, pages, redirect_to, shown
from cimaster.pages.frame.cookies import Message
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.fragments import trigger_header
from cimaster.pages.frame.visitors import current_visitor, element_id, latest
from cimaster.pages.inventory import inventory_page
from cimaster.pages.policies import policy_forms, policy_panel
from cimaster.pages.queue import queue_forms, queue_panel
from cimaster.pool.decisions import descriptions
from cimaster.repository.configmap_repository import Committed
from cimaster.repository.snapshots import Snapshot
from cimaster.web import problems
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters, NamedParameters

FORMS: tuple[Form[Any], ...] = (*cluster_forms.FORMS, *creation_forms.FORMS, *policy_forms.FORMS, *queue_forms.FORMS)
BLOCKED = "for the next change you must give your name again"
BLOCKED_HOLD = "the hold is made; to release it you must give your name again"
_FIELDS = {"label": "labels"}  # what a form calls a parameter, where that is not its name


def _context(form: Form[Any], values: Mapping[str, str], refusal: Problem | None = None) -> dict[str, Any]:
    """Return what a form shows: what it is about as that is now, what was entered, and why that was refused."""
    told: dict[str, Any] = {"row": None, "facts": {}, **form.tells(values, refusal is not None)}
    refused = refusal.facts.get("parameter") if refusal else None
    return {
        **told,
        "form": form,
        "values": {**told["facts"], **values},
        "back": addresses.return_address(),
        "refusal": refusal,
        "refused_field": _FIELDS.get(str(refused), refused),
    }


def _draw(form: Form[Any], context: dict[str, Any]) -> str:
    cookies.probe()
    return render_template(form.template if is_htmx_request() else "form_page.html", **context)


def _show(form: Form[Any]) -> Response:
    """Show a form; one that was meant for another state than the cluster's says so at once."""
    context = _context(form, request.args)
    expected, row = request.args.get("expect"), context["row"]
    if not expected or not isinstance(row, cluster_rows.Row) or row.state == expected:
        return Response(_draw(form, context))
    stale = ClusterNotVacant(
        f"{row.name} is no longer {expected}: {descriptions.situation(row.cluster)}",
        cluster=row.name,
        state=row.state,
        holder=descriptions.occupant(row.cluster),
    )
    return _refused(form, stale, request.args)


def _send(form: Form[Any]) -> Response:
    """Carry out what a form asks for."""
    try:
        given = forms.read(form)
        g.endpoint, g.parameters = form.endpoint, given
        done = form.carry_out(given)
    except (Refusal, StoreTrouble) as refusal:
        if is_htmx_request() and request.headers.get("HX-Target") != "div#dialog-content":
            answer = shown(problems.refused(refusal), refusal.sentence, **_shows(refusal))
            answer.headers["HX-Trigger"] = trigger_header("pool-acted", "pool-changed")
            return answer
        return _refused(form, refusal, MultiDict(request.form))
    return _done(form, done, given)


def _shows(refusal: Problem) -> dict[str, str]:
    """Return which element shows the cluster of a refusal, and its record as it is now."""
    pool, name = latest().pool, str(refusal.facts.get("cluster", ""))
    return {"about": element_id(name), "rev": pool.find(name).digest} if name in pool.positions else {}


def _refused(form: Form[Any], refusal: Problem, values: Mapping[str, str]) -> Response:
    """Return the form as it was filled in, with why it was refused."""
    answer = problems.refused(refusal)
    answer.set_data(_draw(form, _context(form, values, refusal)))
    answer.mimetype = "text/html"
    if request.method == "POST":
        answer.headers["HX-Trigger"] = trigger_header(
            "pool-acted", "pool-changed"
        )  # behind the form, show how things are
    return answer


def _done(form: Form[Any], done: Committed, given: NamedParameters) -> Response:
    """Go back to where the form was opened, or send the piece of that page that changed."""
    newly_named, blocked = not cookies.name(), cookies.blocked()
    target = addresses.return_address()
    leaves = form.verb == "delete" and target == addresses.cluster_url(_cluster(given))
    target = url_for("pages.dashboard") if leaves else target
    message = _message(form, done, given, blocked)
    cookies.remember(seen=max(done.commit, cookies.seen()), **({"name": given.name} if newly_named else {}))
    if is_htmx_request() and (blocked or not newly_named) and not leaves:
        return _changed(form, done, given, target, message)
    if blocked:
        return Response(render_template("form_done.html", message=message, target=target))
    cookies.leave_message(message)
    return redirect_to(target)


def _cluster(given: NamedParameters) -> str:
    return given.cluster if isinstance(given, ClusterParameters) else ""


def _message(form: Form[Any], done: Committed, given: NamedParameters, blocked: bool) -> Message:
    """Return the words of success, and the record of which they are true."""
    cluster = done.answer.cluster
    text = cluster_forms.held(cluster, given.name, components().clusters.clock()) if cluster and form.holds else ""
    text = printable(text or done.answer.text)
    if blocked:
        text += f". Your browser blocks cookies: {BLOCKED_HOLD if form.holds else BLOCKED}"
    return Message(text, element_id(cluster.name), cluster.digest) if cluster else Message(text)


def _changed(form: Form[Any], done: Committed, given: NamedParameters, target: str, message: Message) -> Response:
    """Return the changed row, or the piece of the page that shows it, with a word of success beside it."""
    snapshot = latest(done.commit)
    context = {"message": message, "gone": "", "row": None, **_piece(form, snapshot, given, target)}
    if not context.get("piece") and form.verb == "delete":
        context["gone"] = element_id(_cluster(given))
    elif not context.get("piece") and done.answer.cluster:
        now = components().clusters.clock()
        context["row"] = cluster_rows.rendered(snapshot.pool, done.answer.cluster, current_visitor(), now)
        context["row_id"] = element_id(done.answer.cluster.name)
    answer = Response(render_template("form_done_fragment.html", **context))
    answer.headers["HX-Trigger"] = trigger_header("pool-acted", "pool-changed")
    return answer


def _piece(form: Form[Any], snapshot: Snapshot, given: NamedParameters, target: str) -> dict[str, Any]:
    """Return which piece of the page to draw anew, where that is more than a row."""
    page = addresses.without_prefix(target)
    in_inventory = page.startswith("/ui/admin")
    if in_inventory and form in policy_forms.FORMS:
        return {"piece": "fragments/policies.html", "into": "policies", **policy_panel.context(snapshot)}
    if in_inventory:
        return {"piece": "fragments/inventory.html", "into": "inventory", **inventory_page.context(snapshot)}
    if page.startswith("/ui/cluster"):
        return {"piece": "fragments/cluster.html", "into": "cluster", **cluster_page.context(snapshot, _cluster(given))}
    if form in cluster_forms.FORMS:
        return {}
    if form in queue_forms.FORMS:
        queue = queue_panel.context(snapshot, everything=page.startswith("/ui/queue"))
        return {"piece": "fragments/queue.html", "into": "queue", **queue}
    creations = creation_panel.context(snapshot, everything=page.startswith("/ui/creations"))
    return {"piece": "fragments/creations.html", "into": "creations", **creations}


for _form in FORMS:
    pages.get(_form.path, endpoint=_form.verb, defaults={"form": _form})(_show)
    pages.post(_form.path, endpoint=f"send_{_form.verb}", defaults={"form": _form})(_send)
