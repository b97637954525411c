"""Parameters that several endpoints have in common."""

from dataclasses import dataclass

from cimaster.common.parameters import Parameters
from cimaster.pool import Request
from cimaster.web import parameter_types as types


@dataclass(frozen=True, kw_only=True)
class VerbParameters(Parameters):
    """The parameters of every endpoint that changes something."""

    request_id: str = types.REQUEST_ID.optional("")
    request: Request | None = None
    """The identity of the request, if it has a request_id; set by `request_parameters.read`."""


@dataclass(frozen=True, kw_only=True)
class NamedParameters(VerbParameters):
    """The parameters of a person's request: their name too."""

    name: str = types.NAME.required()


@dataclass(frozen=True, kw_only=True)
class ClusterParameters(NamedParameters):
    """The parameters of a person's request about one cluster."""

    cluster: str = types.CLUSTER.required()


@dataclass(frozen=True, kw_only=True)
class KindParameters(VerbParameters):
    """The kind of cluster that a caller requests."""

    purpose: str = types.KNOWN_PURPOSE.optional("")
    osimage: str = types.KNOWN_IMAGE.meant("image; required for purpose tnet-ci").optional("")
    region: str = types.KNOWN_REGION.optional("")
    label: tuple[tuple[str, str], ...] = types.KNOWN_LABEL.repeated()


@dataclass(frozen=True, kw_only=True)
class FactParameters(VerbParameters):
    """The facts about a cluster, sent by an admin; None means omitted."""

    region: str | None = types.REGION.optional(None)
    purpose: str | None = types.PURPOSE.optional(None)
    osimage: str | None = types.OSIMAGE.optional(None)
    label: tuple[tuple[str, str], ...] = types.LABEL.repeated()
    note: str | None = types.NOTE.optional(None)
