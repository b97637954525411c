"""What callers send: query, form and JSON body read as the parameters of an endpoint, or refused by name."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from cimaster.common import request_body
from cimaster.common.texts import printable
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool import ClusterFacts, Criteria, Request
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.records.cluster import IMAGE_PURPOSE
from cimaster.web import callers
from cimaster.web.endpoints import REQUEST_ID, Endpoint


@dataclass(frozen=True)
class Given:
    """The parameters of one request, read: values by name (None where not given, lists where repeated)."""

    values: dict[str, Any]
    request: Request | None
    unknown: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def read(endpoint: Endpoint, sent: "MultiDict[str, str]", ignored: Sequence[str] = ()) -> Given:
    """Read what was sent as the endpoint's parameters; a refusal names the parameter and the remedy.

    Unknown ones are refused (a typo must not silently take any cluster), but for those `ignored` while scripts are
    mended; what was ignored is returned as `unknown`.
    """
    known = [parameter.name for parameter in endpoint.parameters]
    unknown = [name for name in sent if name not in known]
    for name in unknown:
        if name not in ignored:
            raise request_body.unknown(endpoint.path, name, known)
    values: dict[str, Any] = {}
    for parameter in endpoint.parameters:
        read = parameter.values(sent.getlist(parameter.name))
        values[parameter.name] = read if parameter.repeated else read[0] if read else None
    request_id = values.pop("request_id", None)
    return Given(values, _request(endpoint, request_id, sent), tuple(unknown))


def only_with(name: str, other: str) -> BadParameter:
    """Return the refusal of a parameter that has a meaning only beside another."""
    return BadParameter(f"{name} goes only with {other}: leave it out", parameter=name)


def labels(given: list[tuple[str, str]]) -> dict[str, str]:
    """Return repeated `label` parameters as one mapping; BadParameter if one key is given two values."""
    mapping = dict(given)
    if len(mapping) != len(set(given)):
        raise BadParameter("label names one key with two values: no cluster has both", parameter="label")
    return mapping


def criteria(given: Given, cluster: str = "", by: str = "") -> Criteria:
    """Return the kind of cluster that the parameters ask for; for tnet-ci the image must be named."""
    if given.purpose == IMAGE_PURPOSE and not given.osimage and not cluster:
        raise MissingParameter(f"osimage is required for purpose {IMAGE_PURPOSE}: name the image", parameter="osimage")
    return Criteria(
        job=given.values.get("job") or "",
        build=given.values.get("build") or "",
        by=by,
        purpose=given.purpose or "",
        osimage=given.osimage or "",
        region=given.region or "",
        labels=labels(given.label),
        cluster=cluster,
        ttl=given.values.get("ttl"),
    )


def facts(given: Given) -> ClusterFacts:
    """Return what the parameters say of a cluster; what is not given stays as it is."""
    said = labels(given.label) if given.label else None
    return ClusterFacts(given.region, given.purpose, given.osimage, said, given.note)


def filter_of(given: Given) -> Filter:
    """Return which clusters the parameters of a list ask for."""
    return Filter(
        given.state or "",
        given.purpose or "",
        given.region or "",
        labels(given.label),
        given.holder or "",
        given.q or "",
    )


def _request(endpoint: Endpoint, request_id: str | None, sent: "MultiDict[str, str]") -> Request | None:
    if request_id is None:
        return None
    said = ((key, printable(text)) for key, text in sent.items(multi=True) if key != REQUEST_ID.name)
    told = sorted(pair for pair in said if pair[1])
    digest = hashlib.sha256(json.dumps([endpoint.name, told]).encode("utf-8", "replace")).hexdigest()[:16]
    return Request(request_id, digest, endpoint.name, callers.owner())


def sent(endpoint: Endpoint) -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together; BadBody if it cannot be read."""
    return request_body.sent('{"cluster": "cluster-05"}', endpoint.parameters, REQUEST_ID)
