"""Forms shown and sent, alone on a page or in the dialog; a refused one comes back as it was filled in."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response, g, render_template, request
from werkzeug.datastructures import MultiDict

from cimaster import web
from cimaster.errors import ClusterNotVacant, Refusal
from cimaster.inputs import Given
from cimaster.pages import addresses, cluster_page, cookies, forms, inventory_page, rows
from cimaster.pages.blueprint import by_htmx, go_to, pages, shown
from cimaster.pages.forms import Form
from cimaster.pages.fragments import event
from cimaster.pages.visitors import element_id, latest, visitor
from cimaster.pool import wording
from cimaster.repository import Committed
from cimaster.times import format_duration

_CHOICES = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 240, 360))


def _context(form: Form, values: Mapping[str, str], refusal: Refusal | None = None) -> dict[str, Any]:
    """Return what a form shows: the cluster as it is now, what was entered, and why that was refused."""
    name = values.get("cluster", "")
    snapshot = latest()
    cluster = cluster_page.find(snapshot, name) if form.verb != "add" else None
    if form.verb != "add" and cluster is None and not refusal:
        snapshot.pool.find_any(name)  # says what is wrong with the name
    row = rows.row(snapshot.pool, cluster, visitor(), web.service().clock()) if cluster else None
    rules, facts = snapshot.pool.rules, _facts(row) if row else {}
    return {
        "form": form, "row": row, "facts": facts, "values": {**facts, **values},
        "back": addresses.back(), "refusal": refusal,
        "choices": sorted({rules.hold, *(choice for choice in _CHOICES if choice <= rules.max_hold)}),
        "usual": format_duration(rules.hold), "longest": rules.max_hold, "refused_field": _field(refusal),
    }  # fmt: skip


def _facts(row: rows.Row) -> dict[str, str]:
    """Return what the inventory says of a cluster, as the fields of a form."""
    told, labels = row.cluster, " ".join(f"{key}={value}" for key, value in row.cluster.labels.items())
    texts = {"region": told.region, "purpose": told.purpose, "osimage": told.osimage, "note": told.note}
    return {**({} if told.fault else texts), "labels": labels}


def _field(refusal: Refusal | None) -> object:
    field = refusal.facts.get("parameter") if refusal else None
    return "labels" if field == "label" else field


def _draw(form: Form, context: dict[str, Any]) -> str:
    return render_template(form.template if by_htmx() else "form_page.html", **context)


def _show(form: Form) -> Response:
    """Show a form; one that was meant for another state than the cluster's says so at once."""
    context = _context(form, request.args)
    expected, row = request.args.get("expect"), context["row"]
    if not expected or row is None or row.state == expected:
        return Response(_draw(form, context))
    stale = ClusterNotVacant(
        f"{row.name} is not {expected} any more: {wording.situation(row.cluster)}",
        cluster=row.name, state=row.state, holder=wording.who(row.cluster),
    )  # fmt: skip
    return _refused(form, stale, request.args)


def _send(form: Form) -> Response:
    """Carry out what a form asks for."""
    try:
        given = forms.read(form)
        g.endpoint, g.given = form.endpoint, given
        done = form.carry_out(given)
    except Refusal as refusal:
        if by_htmx() and request.headers.get("HX-Target") != "div#dialog-content":
            answer = shown(web.refused(refusal), refusal.sentence)
            answer.headers["HX-Trigger"] = event("pool-acted", "pool-changed")
            return answer
        return _refused(form, refusal, MultiDict(request.form))
    return _done(form, done, given)


def _refused(form: Form, refusal: Refusal, values: Mapping[str, str]) -> Response:
    """Return the form as it was filled in, with why it was refused."""
    answer = web.refused(refusal)
    answer.set_data(_draw(form, _context(form, values, refusal)))
    answer.mimetype = "text/html"
    if request.method == "POST":
        answer.headers["HX-Trigger"] = event("pool-acted", "pool-changed")  # behind the form, show how things are
    return answer


def _done(form: Form, done: Committed, given: Given) -> Response:
    """Go back to where the form was opened, or send the piece of that page that changed."""
    newly_named = not cookies.name()
    target = addresses.back()
    leaves = form.verb == "delete" and target == addresses.cluster_url(given.cluster)
    cookies.remember(seen=max(done.commit, cookies.seen()), **({"name": given.name} if newly_named else {}))
    if by_htmx() and not newly_named and not leaves:
        return _changed(form, done, given, target)
    cookies.remember(told=done.answer.text)
    return go_to("/" if leaves else target)


def _changed(form: Form, done: Committed, given: Given, target: str) -> Response:
    """Return the changed row, or the piece of the page that shows it, with a word of success beside it."""
    snapshot = latest(done.commit)
    context: dict[str, Any] = {"text": done.answer.text, "gone": "", "row": None}
    if target.startswith("/ui/admin"):
        context |= {"piece": "fragments/inventory.html", "into": "inventory", **inventory_page.inventory(snapshot)}
    elif target.startswith("/ui/cluster"):
        context |= {"piece": "fragments/cluster.html", "into": "cluster", **cluster_page.panel(snapshot, given.cluster)}
    elif form.verb == "delete":
        context["gone"] = element_id(given.cluster)
    elif done.answer.cluster:
        now = web.service().clock()
        context["row"] = rows.drawn(snapshot.pool, done.answer.cluster, visitor(), now)
        context["row_id"] = element_id(done.answer.cluster.name)
    answer = Response(render_template("changed.html", **context))
    answer.headers["HX-Trigger"] = event("pool-acted", "pool-changed")
    return answer


for _form in forms.FORMS:
    pages.get(_form.path, endpoint=_form.verb, defaults={"form": _form})(_show)
    pages.post(_form.path, endpoint=f"send_{_form.verb}", defaults={"form": _form})(_send)
