"""The API in a table: every endpoint, its role, parameters and answers. Routes and documentation follow it."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, TypeVar, cast

from cimaster.common.parameters import Parameter, Parameters
from cimaster.web import endpoint_parameters as params
from cimaster.web.endpoint_parameters import NamedParameters
from cimaster.web.identity.roles import EVERYBODY, Role

P_co = TypeVar("P_co", bound=Parameters, covariant=True)
Q = TypeVar("Q", bound=Parameters)


READERS, JOB_CALLERS, PERSONS, ADMINS = (frozenset({role}) for role in (Role.READER, Role.CI, Role.PERSON, Role.ADMIN))
PROBES, PROVISIONERS = ADMINS | {Role.PROBE}, ADMINS | {Role.PROVISIONER}
JOBS, PEOPLE, INVENTORY, READS, OPERATION = "jobs", "people", "inventory", "reads", "operation"


@dataclass(frozen=True)
class Endpoint(Generic[P_co]):
    """One path: its parameters, the roles of which a caller needs one (none: open to everybody), and what it answers.

    `answers` names a response of openapi.yaml for each status that is not common to all. `also_required` are
    parameters that a form requires although the API does not.
    """

    path: str
    kind: type[P_co]
    roles: frozenset[Role]
    tag: str
    answers: Mapping[int, str] = field(default_factory=dict, hash=False)
    changes: bool = False
    verb: str = ""
    """Its name if that differs from the path's: such a verb shares its path with a read, and takes POST only."""
    also_required: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an endpoint for admins that has no name to check."""
        if self.for_admins and not issubclass(self.kind, NamedParameters):
            raise TypeError(f"{self.path} is for admins: its parameters must be NamedParameters")

    @property
    def for_admins(self) -> bool:
        """Whether it needs an admin, or a program that has a role for this only."""
        return Role.ADMIN in self.roles

    @property
    def access(self) -> str:
        """The roles for documentation, such as `admin or probe`."""
        return " or ".join(role for role in reversed(Role) if role in self.roles) or "everybody"

    @property
    def name(self) -> str:
        """The verb, as logs and metrics call it."""
        return self.verb or self.path.strip("/").partition("/")[0]

    @property
    def actor(self) -> str:
        """The parameter that names its caller; empty if it has none. With an identity it may be left out."""
        if issubclass(self.kind, NamedParameters):
            return "name"
        return "user" if issubclass(self.kind, params.CreateCluster) else ""

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that it accepts; legacy scripts send changes with GET."""
        if self.verb:
            return ("POST",)
        return ("GET", "POST") if self.changes else ("GET",)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters: the cluster and other required ones first, request_id last."""
        declared = [p.needed() if p.name in self.also_required else p for p in self.kind.declared()]
        return tuple(sorted(declared, key=_documented_order))

    @property
    def summary(self) -> str:
        """What it does, as an imperative without a full stop."""
        return inspect.cleandoc(self.kind.__doc__ or "").partition("\n")[0].removesuffix(".")

    @property
    def description(self) -> str:
        """What else a caller should know; may be empty."""
        return inspect.cleandoc(self.kind.__doc__ or "").partition("\n\n")[2]

    def taking(self, kind: type[Q]) -> "Endpoint[Q]":
        """Return the endpoint with other parameters, for a form with fewer or more than the API."""
        return replace(cast(Endpoint[Q], self), kind=kind)

    def requiring(self, *names: str) -> "Endpoint[P_co]":
        """Return the endpoint with these parameters required as well."""
        return replace(self, also_required=frozenset(names))

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter by name; None if the endpoint does not have it."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


def _documented_order(parameter: Parameter) -> tuple[bool, bool, bool]:
    optional = not parameter.required
    return optional and parameter.name == "request_id", optional, parameter.name != "cluster"


_DONE = {200: "Changed"}
_OF_CLUSTER = {**_DONE, 404: "UnknownCluster", 409: "Conflict", 422: "NotPossible"}
_BY_NAME = {**_OF_CLUSTER, 403: "NotAuthorized"}
_OF_LEASE = {**_OF_CLUSTER, 410: "Over"}

GETVACANT = Endpoint(
    "/getvacant",
    params.GetVacant,
    JOB_CALLERS,
    JOBS,
    {**_OF_LEASE, 200: "Lent", 404: "NoneVacant", 429: "Queued"},
    changes=True,
)
FINISHTEST = Endpoint("/finishtest", params.FinishTest, JOB_CALLERS, JOBS, _OF_LEASE, changes=True)
RENEWLEASE = Endpoint("/renewlease", params.RenewLease, JOB_CALLERS, JOBS, _OF_LEASE, changes=True)
LEAVEQUEUE = Endpoint(
    "/leavequeue", params.LeaveQueue, JOB_CALLERS | PERSONS, JOBS, {**_DONE, 409: "Conflict"}, changes=True
)
HOLDCLUSTER = Endpoint(
    "/holdcluster",
    params.HoldCluster,
    PERSONS,
    PEOPLE,
    {**_BY_NAME, 202: "Waiting", 404: "NoneVacant", 429: "Queued"},
    changes=True,
)
RELEASECLUSTER = Endpoint("/releasecluster", params.ReleaseCluster, PERSONS, PEOPLE, _BY_NAME, changes=True)
ADDCLUSTER = Endpoint(
    "/addcluster", params.AddCluster, PROVISIONERS, INVENTORY, {**_BY_NAME, 404: "UnknownCreation"}, changes=True
)
UPDATECLUSTER = Endpoint("/updatecluster", params.UpdateCluster, ADMINS, INVENTORY, _BY_NAME, changes=True)
DELETECLUSTER = Endpoint("/deletecluster", params.DeleteCluster, ADMINS, INVENTORY, _BY_NAME, changes=True)
DISABLECLUSTER = Endpoint("/disablecluster", params.DisableCluster, ADMINS, INVENTORY, _BY_NAME, changes=True)
ENABLECLUSTER = Endpoint("/enablecluster", params.EnableCluster, ADMINS, INVENTORY, _BY_NAME, changes=True)
HEALTHCLUSTER = Endpoint("/healthcluster", params.HealthCluster, PROBES, INVENTORY, _BY_NAME, changes=True)
PURPOSES = Endpoint("/purposes", params.ListPurposes, READERS, READS, {200: "Purposes"})
SETPURPOSE = Endpoint("/setpurpose", params.SetPurpose, ADMINS, INVENTORY, _BY_NAME, changes=True)
CREATECLUSTER = Endpoint(
    "/createcluster",
    params.CreateCluster,
    PERSONS,
    PEOPLE,
    {
        200: "Triggered",
        202: "Requested",
        410: "Over",
        422: "NotPossible",
        429: "TooMany",
        501: "NoProvisioner",
        502: "CreationFailed",
        503: "Unreachable",
        504: "CreationFailed",
    },
    changes=True,
)
CREATIONS = Endpoint("/creations", params.ListCreations, READERS, READS, {200: "Creations", 404: "UnknownCreation"})
CHANGE_CREATION = Endpoint(
    "/creations", params.ChangeCreation, PERSONS, PEOPLE, _BY_NAME, changes=True, verb="changecreation"
)
POLICIES = Endpoint("/policies", params.ListPolicies, READERS, READS, {200: "Policies"})
SETPOLICY = Endpoint("/setpolicy", params.SetPolicy, ADMINS, INVENTORY, _BY_NAME, changes=True)
REMOVEPOLICY = Endpoint("/removepolicy", params.RemovePolicy, ADMINS, INVENTORY, _BY_NAME, changes=True)
CLUSTERS = Endpoint("/clusters", params.ListClusters, READERS, READS, {200: "Clusters"})
ONE_CLUSTER = Endpoint(
    "/clusters/<name>",
    params.OneCluster,
    READERS,
    READS,
    {200: "OneCluster", 400: "BadRequest", 404: "UnknownCluster", 409: "Conflict"},
)
QUEUE = Endpoint("/queue", params.ListQueue, READERS, READS, {200: "Queue"})
HISTORY = Endpoint("/history", params.ListHistory, READERS, READS, {200: "History"})
USAGE = Endpoint("/usage", params.ShowUsage, READERS, READS, {200: "Usage"})
HEALTHZ = Endpoint("/healthz", params.Health, EVERYBODY, OPERATION, {200: "Alive"})
READYZ = Endpoint("/readyz", params.Readiness, EVERYBODY, OPERATION, {200: "Ready", 503: "NotReady"})
OPENAPI = Endpoint("/openapi.yaml", params.OpenAPI, EVERYBODY, OPERATION, {200: "Description"})

VERBS: tuple[Endpoint[Parameters], ...] = (
    GETVACANT,
    LEAVEQUEUE,
    FINISHTEST,
    RENEWLEASE,
    HOLDCLUSTER,
    RELEASECLUSTER,
    ADDCLUSTER,
    UPDATECLUSTER,
    DELETECLUSTER,
    DISABLECLUSTER,
    ENABLECLUSTER,
    HEALTHCLUSTER,
    SETPURPOSE,
    CREATECLUSTER,
    CHANGE_CREATION,
    SETPOLICY,
    REMOVEPOLICY,
)
ENDPOINTS: tuple[Endpoint[Parameters], ...] = (
    *VERBS,
    CLUSTERS,
    ONE_CLUSTER,
    CREATIONS,
    POLICIES,
    PURPOSES,
    QUEUE,
    HISTORY,
    USAGE,
    HEALTHZ,
    READYZ,
    OPENAPI,
)
