"""The API in a table: every endpoint, its parameters and who may use it. Routes, openapi.yaml and README follow it."""

from dataclasses import dataclass, replace

from cimaster.common.request_body import Parameter
from cimaster.pool import parsers as form


@dataclass(frozen=True)
class Endpoint:
    """One path: what it does, the role that may use it, and its parameters; `changes` tells verbs from reads."""

    path: str
    summary: str
    role: str
    parameters: tuple[Parameter, ...] = ()
    changes: bool = False
    verb: str = ""
    """Its name where that is not the path's: such a verb shares its path with a read, and is sent by POST only."""

    @property
    def name(self) -> str:
        """The verb, as logs and metrics call it."""
        return self.verb or self.path.strip("/").partition("/")[0]

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that it answers; scripts of old send changes with GET."""
        if self.verb:
            return ("POST",)
        return ("GET", "POST") if self.changes else ("GET",)

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter by name; None if the endpoint does not have it."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


REQUEST_ID = Parameter("request_id", form.request_id, "repeat a request safely: the same id gets the same answer")
CLUSTER = Parameter("cluster", form.compared, "name of the cluster", required=True)
NAME = Parameter("name", form.person, "who asks", required=True)
REASON = Parameter("reason", form.plain, "why; it is kept in the history")
LABEL = Parameter("label", form.label, "a label, `key=value`", repeated=True)
REGION = Parameter("region", form.word, "region of the cluster")
PURPOSE = Parameter("purpose", form.word, "what the cluster is for")
OSIMAGE = Parameter("osimage", form.word, "image that its machines run")
NOTE = Parameter("note", form.plain, "what people should know of the cluster")
DESC = Parameter("desc", form.plain, "what the hold is for")
TTL = Parameter("ttl", form.lease_time, "the lease ends after this time unless it is renewed")
LEASE = Parameter("lease", form.compared, "lease that the take answered (`CIMaster-Lease`)")
JOB = Parameter("job", form.compared, "name of the job")
BUILD = Parameter("build", form.compared, "number of the build")
DURATION = Parameter("duration", form.duration, "how long to hold, from now; 6h if not given")
EXPECT = Parameter("expect", form.state, "refuse unless the cluster is in this state")
FORCE = Parameter("force", form.flag, "true: also when the cluster is in use; needs a reason")
OF_PURPOSE, IN_REGION = replace(PURPOSE, read=form.compared), replace(REGION, read=form.compared)
OF_IMAGE, WITH_LABEL = replace(OSIMAGE, read=form.compared), replace(LABEL, read=form.compared_label)
CREATION = Parameter("creation", form.compared, "only this one: its id, or the name of its ProwJob")


def _verb(path: str, summary: str, role: str, *parameters: Parameter) -> Endpoint:
    return Endpoint(path, summary, role, (*parameters, REQUEST_ID), changes=True)


GETVACANT = _verb(
    "/getvacant",
    "lend a vacant cluster to a job",
    "ci",
    replace(BUILD, read=form.job, required=True),
    replace(JOB, read=form.job, required=True),
    Parameter("email", form.email, "address of who triggered the job; the part before the @ is kept"),
    Parameter("name", form.triggered_by, "who triggered the job; wins over email"),
    OF_PURPOSE,
    replace(OF_IMAGE, meaning="image; required for purpose tnet-ci"),
    IN_REGION,
    WITH_LABEL,
    replace(CLUSTER, required=False, meaning="this cluster and no other"),
    TTL,
    Parameter("wait", form.wait, "wait in the queue for so long if none is vacant; needs request_id"),
    Parameter("priority", form.priority, "low, normal (if not given) or high: the queue is served in that order"),
    Parameter("skip_if_none", form.flag, "true: say no at once, whatever wait says"),
)
FINISHTEST = _verb("/finishtest", "give a cluster back", "ci", CLUSTER, LEASE, JOB, BUILD)
LEAVEQUEUE = Endpoint(
    "/leavequeue",
    "give a place in the queue up",
    "ci",
    (
        replace(
            REQUEST_ID,
            read=form.compared,
            required=True,
            meaning="the request that waits; a cluster that it was just given goes back",
        ),
    ),
    changes=True,
)
QUEUE = Endpoint("/queue", "list who waits for a cluster, in the order in which they are served", "reader")
RENEWLEASE = _verb("/renewlease", "move the end of a lease", "ci", CLUSTER, LEASE.needed(), TTL)
HOLDCLUSTER = _verb(
    "/holdcluster",
    "hold a cluster for a person, or extend the hold",
    "person",
    replace(CLUSTER, meaning="name of the cluster, or `any` for one that matches"),
    NAME,
    DESC,
    DURATION,
    EXPECT,
    OF_PURPOSE,
    OF_IMAGE,
    IN_REGION,
    WITH_LABEL,
    replace(FORCE, meaning="true: an admin takes the hold of another person over; needs a reason"),
    REASON,
)
RELEASECLUSTER = _verb(
    "/releasecluster",
    "end a hold, or hand it over",
    "holder or admin",
    CLUSTER,
    replace(NAME, read=form.compared),
    REASON,
    Parameter("to", form.person, "hand the hold over to this person"),
)
ADDCLUSTER = _verb(
    "/addcluster",
    "add a cluster to the pool",
    "admin",
    replace(CLUSTER, read=form.new_cluster, meaning="name of the new cluster"),
    REGION.needed(),
    NAME,
    PURPOSE,
    OSIMAGE,
    LABEL,
    NOTE,
    replace(CREATION, meaning="creation that it came of: its id, or its ProwJob's name (`PROW_JOB_ID`)"),
)
UPDATECLUSTER = _verb(
    "/updatecluster", "change what is known of a cluster", "admin", CLUSTER, NAME, REGION, PURPOSE, OSIMAGE, LABEL, NOTE
)
DELETECLUSTER = _verb(
    "/deletecluster",
    "take a cluster out of the pool",
    "admin",
    replace(CLUSTER, meaning="name of the cluster, or `#3.1a2b3c4d` for the broken record at position 3"),
    NAME,
    FORCE,
    REASON,
)
DISABLECLUSTER = _verb("/disablecluster", "take a cluster out of lending", "admin", CLUSTER, NAME, REASON)
ENABLECLUSTER = _verb("/enablecluster", "put a cluster back into lending", "admin", CLUSTER, NAME, REASON)
CREATECLUSTER = _verb(
    "/createcluster",
    "have another cluster created",
    "person",
    Parameter("user", form.triggered_by, "who wants it; the job sees it as AUTHOR", required=True),
    Parameter("branch", form.branch, "branch that the job runs on; master if not given"),
    Parameter("job", form.prow_job, "job that creates it; a setting names the usual one"),
    PURPOSE,
    replace(FORCE, meaning="true: also when the same is on its way"),
)
CREATIONS = Endpoint(
    "/creations",
    "list clusters that are being created, or were lately",
    "reader",
    (
        Parameter("state", form.creation_state, "only creations in this state"),
        CREATION,
    ),
)
CHANGE_CREATION = replace(
    _verb(
        "/creations",
        "try a creation again, or take it off the list",
        "person",
        NAME,
        Parameter("retry", form.compared, "id of a creation that failed and is to be tried again"),
        Parameter("dismiss", form.compared, "id of a creation to take off the list"),
    ),
    verb="changecreation",
)
POLICIES = Endpoint(
    "/policies",
    "list the policies that keep clusters vacant, and say how each stands",
    "reader",
    (replace(OF_PURPOSE, meaning="only this one's"),),
)
SETPOLICY = _verb(
    "/setpolicy",
    "keep a minimum of clusters of a purpose vacant",
    "admin",
    replace(PURPOSE, required=True),
    NAME,
    Parameter("min_vacant", form.clusters, "create clusters while fewer are vacant or on their way"),
    Parameter("max_total", form.clusters, "ask for no more once there are, or may come, so many of this purpose"),
    Parameter("max_creating", form.at_once, "how many may be created at once; 1 at first"),
    Parameter("cooldown", form.cooldown, "time between two rounds, and at least after a failure; 5m at first"),
    Parameter("hours", form.hours, "when: `Mon-Fri 07:00-19:00 Europe/Berlin` (without a zone UTC); `always` lifts it"),
    Parameter("branch", form.branch, "branch that the job runs on; master if not given"),
    Parameter("job", form.prow_job, "job that creates them; a setting names the usual one"),
)
REMOVEPOLICY = _verb("/removepolicy", "keep no minimum of a purpose any more", "admin", OF_PURPOSE.needed(), NAME)
CLUSTERS = Endpoint(
    "/clusters",
    "list clusters",
    "reader",
    (
        Parameter("state", form.state, "only clusters in this state"),
        OF_PURPOSE,
        IN_REGION,
        WITH_LABEL,
        Parameter("holder", form.compared, "only what this person holds, or triggered the job of"),
        Parameter("q", form.compared, "words to find in names, people, jobs, labels, notes and reasons"),
        Parameter("after", form.commit, "not older than this commit (`CIMaster-Commit` of an answer)"),
    ),
)
ONE_CLUSTER = Endpoint("/clusters/<name>", "show one cluster, read afresh when needed", "reader")
HISTORY = Endpoint(
    "/history",
    "list changes, newest first",
    "reader",
    (
        replace(CLUSTER, required=False, meaning="only of this cluster"),
        Parameter("since", form.moment, "only from this time on, or of the last `2h`"),
        Parameter("limit", form.limit, "how many at most; 100 if not given"),
    ),
)
HEALTHZ = Endpoint("/healthz", "say that the process serves", "everybody")
READYZ = Endpoint("/readyz", "say whether to send requests here, and what the store says", "everybody")
OPENAPI = Endpoint("/openapi.yaml", "this API for programs", "everybody")

VERBS = (
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
    CREATECLUSTER,
    CHANGE_CREATION,
    SETPOLICY,
    REMOVEPOLICY,
)
ENDPOINTS = (*VERBS, CLUSTERS, ONE_CLUSTER, CREATIONS, POLICIES, QUEUE, HISTORY, HEALTHZ, READYZ, OPENAPI)
