"""Pieces of pages that keep themselves up to date: polled with a tag, and drawn again only if it differs."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from flask import Response, g, render_template, request

from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import fragment_tag
from cimaster.pool.codec import CLUSTERS, HISTORY
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

CLOCK = 300  # seconds; what only the server tells from the time (overdue) is drawn anew this often


def trigger_header(*names: str) -> str:
    """Return an HX-Trigger header that tells the whole page of events."""
    return json.dumps({name: {"target": "body"} for name in names})


def clusters_tag(snapshot: Snapshot, *shown: object) -> str:
    """Return the tag of a fragment that shows clusters and what happened to them, and times.

    Whoever waits writes each time that they ask: that alone draws no table anew.
    """
    texts = (_digest(snapshot.object.data.get(key, "")) for key in (CLUSTERS, HISTORY))
    return fragment_tag(snapshot, *texts, int(components().clusters.clock().timestamp()) // CLOCK, *shown)


@functools.lru_cache(16)
def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "surrogatepass")).hexdigest()


def poll_response(
    template: str, name: str, context: Callable[[], dict[str, Any]], *, triggers_refresh: bool = True
) -> Response:
    """Answer a poll: 304 where the browser shows what is tagged `name` already, else the fragment.

    What `triggers_refresh` has the figures and the strip follow; a page needs one such piece.
    """
    g.quiet = True
    if request.headers.get("HX-PTag", "").partition(".")[2] == name.partition(".")[2]:
        return Response(status=304)
    response = Response(render_template(template, **context()))
    response.headers["HX-PTag"] = name
    if triggers_refresh:
        response.headers["HX-Trigger"] = trigger_header("pool-changed")
    return response


@pages.get("/ui/fragments/warnings")
def warnings_fragment() -> Response:
    """Return the strip that says what is wrong with the store."""
    g.quiet = True
    return Response(render_template("fragments/warnings.html"))


@pages.get("/ui/fragments/ready")
def ready_fragment() -> Response:
    """Have the page loaded again as soon as there is something to show; until then this fails."""
    g.quiet = True
    components().clusters.view()
    return Response(status=204, headers={"HX-Refresh": "true"})
