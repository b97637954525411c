"""Fragments: parts of a page that poll with the tag of what they show; an equal tag is answered 304."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, render_template, request

from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import fragment_tag
from cimaster.pool.codec import CLUSTERS, HISTORY
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

NOTHING: Mapping[str, str] = {}
CLOCK = 300  # seconds after which a fragment is rendered again because of the time alone (a lease becomes overdue)


def trigger_header(*names: str) -> str:
    """Return the HX-Trigger header that fires events on the whole page."""
    return json.dumps({name: {"target": "body"} for name in names})


def clusters_tag(snapshot: Snapshot, *shown: object) -> str:
    """Return the tag of a fragment that shows clusters and their history.

    Other changes, such as each poll of a waiting job, do not change the tag.
    """
    texts = (_digest(snapshot.object.data.get(key, "")) for key in (CLUSTERS, HISTORY))
    return fragment_tag(snapshot, *texts, int(components().clusters.now().timestamp()) // CLOCK, *shown)


@functools.lru_cache(16)
def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "surrogatepass")).hexdigest()


def poll_response(
    template: str,
    tag: str,
    context: Callable[[], dict[str, Any]],
    others: Mapping[str, str] = NOTHING,
    *,
    triggers_refresh: bool = True,
) -> Response:
    """Answer a poll: 304 if the browser already shows the fragment with this tag, else the fragment.

    `others` are elements elsewhere on the page that change with it, and their templates. A fragment with
    `triggers_refresh` makes the page fetch its cards and warnings again. A page needs one of these.
    """
    g.quiet = True
    if request.headers.get("HX-PTag", "").partition(".")[2] == tag.partition(".")[2]:
        return Response(status=304)
    html = render_template("fragments/polled.html", template=template, others=others, **context())
    response = Response(html)
    response.headers["HX-PTag"] = tag
    if triggers_refresh:
        response.headers["HX-Trigger"] = trigger_header("pool-changed")
    return response


@pages.get("/ui/fragments/warnings")
def warnings_fragment() -> Response:
    """Return the banners that say what is wrong with the store or the clock."""
    g.quiet = True
    return Response(render_template("fragments/warnings.html"))


@pages.get("/ui/fragments/ready")
def ready_fragment() -> Response:
    """Reload the page once there is a snapshot to show. Until then this answers 503."""
    g.quiet = True
    components().clusters.view()
    return Response(status=204, headers={"HX-Refresh": "true"})
