"""The visitor's holds that end soon: every page says so, and offers to extend them with one click."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, g

from cimaster.pages.clusters import hold_end_forms
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.template_filters import SOON
from cimaster.pages.frame.visitors import Visitor, current_visitor, element_id, fragment_tag, latest
from cimaster.pool import Rules
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.pool import Pool
from cimaster.web.components import components

_MOST = 3  # so that the page stays in sight
_USUAL_EXTENSION = timedelta(hours=1)


@dataclass(frozen=True)
class EndingHold:
    """A hold that ends soon. `until` is what the button sends to extend it by `more`; empty if that is not possible.

    Plain values only, because the fragment's tag is computed from them.
    """

    id: str
    cluster: str
    ends: datetime
    until: str = ""
    more: timedelta = timedelta()


def of(pool: Pool, visitor: Visitor, now: datetime) -> list[EndingHold]:
    """Return the holds that a visitor has or shares and that end soon, the first to end first."""
    theirs = [cluster for cluster in pool.clusters if visitor.holds(cluster) or visitor.shares(cluster)]
    ends = [(cluster.hold.expires, cluster) for cluster in theirs if cluster.hold and cluster.hold.expires]
    found = [_ending(cluster, end, pool.rules, now) for end, cluster in ends if now < end <= now + SOON]
    return sorted(found, key=lambda ending: ending.ends)[:_MOST]


def _ending(cluster: Cluster, ends: datetime, rules: Rules, now: datetime) -> EndingHold:
    allowed = [each for each in hold_end_forms.extensions(cluster, rules, now) if each.more <= _USUAL_EXTENSION]
    identity = f"{element_id(cluster.name)}-ending"
    if not allowed:
        return EndingHold(identity, cluster.name, ends)
    longest = max(allowed, key=lambda each: each.more)
    return EndingHold(identity, cluster.name, ends, longest.until, longest.more)


def _shown() -> list[EndingHold]:
    """Return the holds to show on a page, also on one that reports an outage; none if nothing was read yet."""
    if "ending_holds" not in g:
        clusters = components().clusters
        newest = clusters.repository.newest
        g.ending_holds = of(newest.pool, current_visitor(), clusters.now()) if newest else []
    holds: list[EndingHold] = g.ending_holds
    return holds


@pages.app_context_processor
def _template_globals() -> dict[str, object]:
    return {"ending_holds": _shown, "ending_tag": _tag}


def _tag() -> str:
    newest = components().clusters.repository.newest
    return fragment_tag(newest, _shown()) if newest else ""


@pages.get("/ui/fragments/ending")
def ending_fragment() -> Response:
    """Answer a poll of the banners."""
    latest()  # reads a state that the browser has seen, if this replica has not read it yet
    others = {"lost-holds": "fragments/lost_holds.html"}  # when a hold ends, its note replaces its banner
    return poll_response("fragments/ending.html", _tag(), dict, others, triggers_refresh=False)
