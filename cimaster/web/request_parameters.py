"""Reads a request as the typed parameters of its endpoint, and turns those into arguments of the services."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from cimaster.common import parameters, request_body
from cimaster.common.parameters import Parameters
from cimaster.common.texts import printable
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool import ClusterFacts, Criteria, Request
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.records.cluster import IMAGE_PURPOSE
from cimaster.pool.records.lease import LONGEST_PERSON
from cimaster.services.history import HistoryFilter
from cimaster.web import access, callers
from cimaster.web.endpoint_parameters import (
    FactParameters,
    KindParameters,
    ListClusters,
    ListHistory,
    UpdateCluster,
    VerbParameters,
)
from cimaster.web.endpoints import Endpoint

P = TypeVar("P", bound=Parameters)


def sent(endpoint: Endpoint[P]) -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together; BadBody if it cannot be read."""
    return request_body.sent('{"cluster": "cluster-05"}', endpoint.parameters)


def unknown(endpoint: Endpoint[P], sent: "MultiDict[str, str]", ignored: Iterable[str] = ()) -> list[str]:
    """Return the names of parameters that the endpoint does not have.

    UnknownParameter for one that is not `ignored`: a typo must not silently take any cluster.
    """
    known = [parameter.name for parameter in endpoint.parameters]
    found = [name for name in sent if name not in known]
    for name in found:
        if name not in ignored:
            raise parameters.unknown(endpoint.path, name, known)
    return found


def read(endpoint: Endpoint[P], sent: "MultiDict[str, str]") -> P:
    """Read what was sent as the endpoint's parameters; a refusal names the parameter and the remedy."""
    named = _with_own_name(endpoint, sent)
    found = parameters.read(endpoint.kind, endpoint.parameters, sent)
    if named:
        found = replace(found, **named)
    if isinstance(found, VerbParameters) and found.request_id:
        return replace(found, request=_request(endpoint.name, found.request_id, sent))
    return found


def _with_own_name(endpoint: Endpoint[P], sent: "MultiDict[str, str]") -> dict[str, str]:
    """Return the name of an authenticated caller for the parameter that says who acts, and put it into what was sent.

    The name of a service account may be longer than a person's, so what was sent has only its beginning. A name that is
    sent twice, or is another person's, is read like any other parameter.
    """
    parameter = endpoint.actor
    if not parameter or access.is_open() or len(sent.getlist(parameter)) > 1:
        return {}
    own = access.own_name(printable(sent.get(parameter, "")), parameter)
    if own is None:
        return {}
    sent.setlist(parameter, [own[:LONGEST_PERSON]])
    return {parameter: own}


def _request(verb: str, request_id: str, sent: "MultiDict[str, str]") -> Request:
    texts = ((key, printable(text)) for key, text in sent.items(multi=True) if key != request_body.REQUEST_ID)
    content = json.dumps([verb, sorted(pair for pair in texts if pair[1])])
    digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
    return Request(request_id, digest, verb, callers.owner())


def only_with(name: str, other: str) -> BadParameter:
    """Return the refusal of a parameter that is allowed only together with another."""
    return BadParameter(f"{name} is only allowed with {other}: leave it out", parameter=name)


def labels(pairs: Collection[tuple[str, str]]) -> dict[str, str]:
    """Return repeated `label` parameters as one mapping; BadParameter if a key has two values."""
    mapping = dict(pairs)
    if len(mapping) != len(set(pairs)):
        raise BadParameter("label gives one key two values: no cluster has both; send one", parameter="label")
    return mapping


def criteria(
    kind: KindParameters,
    *,
    cluster: str = "",
    job: str = "",
    build: str = "",
    by: str = "",
    ttl: timedelta | None = None,
    hold_on_failure: timedelta | None = None,
) -> Criteria:
    """Return the kind of cluster that the parameters request; tnet-ci requires an image."""
    if kind.purpose == IMAGE_PURPOSE and not kind.osimage and not cluster:
        raise MissingParameter(f"osimage is required for purpose {IMAGE_PURPOSE}: name the image", parameter="osimage")
    return Criteria(
        job=job,
        build=build,
        by=by,
        purpose=kind.purpose,
        osimage=kind.osimage,
        region=kind.region,
        labels=labels(kind.label),
        cluster=cluster,
        ttl=ttl,
        hold_on_failure=hold_on_failure,
    )


def facts(sent: FactParameters) -> ClusterFacts:
    """Return the facts about a cluster that were sent; None leaves a fact unchanged."""
    return ClusterFacts(sent.region, sent.purpose, sent.osimage, labels(sent.label) if sent.label else None, sent.note)


def changed_facts(sent: UpdateCluster) -> ClusterFacts:
    """Return the facts to change; those to remove are empty. BadParameter if one is both sent and to be removed."""
    given = facts(sent)
    for name in sent.clear:
        if getattr(sent, name):
            raise BadParameter(f"{name} is sent, and clear says to remove it: leave one of them out", parameter="clear")
    return replace(
        given,
        osimage="" if "osimage" in sent.clear else given.osimage,
        labels={} if "label" in sent.clear else given.labels,
        note="" if "note" in sent.clear else given.note,
    )


def hold_end(until: datetime | time | None, now: datetime) -> datetime | None:
    """Return when a hold ends; a time of day means the next one."""
    if not isinstance(until, time):
        return until
    today = datetime.combine(now.date(), until, now.tzinfo)
    return today if today > now else today + timedelta(days=1)


def filter_of(query: ListClusters) -> Filter:
    """Return the filter that the parameters of a list describe."""
    return Filter(query.state, query.purpose, query.region, labels(query.label), query.holder, query.q, query.health)


def history_filter(params: ListHistory, now: datetime) -> HistoryFilter:
    """Return which changes a request wants; a duration means that long ago."""
    cluster, job, kind = printable(params.cluster), printable(params.job), printable(params.kind)
    return HistoryFilter(cluster, params.person, job, kind, _moment(params.since, now), _moment(params.until, now))


def _moment(time: datetime | timedelta | None, now: datetime) -> datetime | None:
    return now - time if isinstance(time, timedelta) else time
