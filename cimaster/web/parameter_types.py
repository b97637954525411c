"""The types of the API's parameters: how each is read, what it means, and its schema in openapi.yaml.

A value that is only compared with stored data may be any text; a value that will be stored must be well-formed.
"""

from cimaster.common.parameters import ParameterType
from cimaster.pool import parsers
from cimaster.services.history import Position

REQUEST_ID = ParameterType(
    parsers.request_id, "repeats a request safely: the same id gets the same answer", "RequestID"
)
REQUEST = ParameterType(
    parsers.compared,
    "request_id of the waiting request; a cluster that it has just been given is returned",
    "KnownRequest",
)
CLUSTER = ParameterType(parsers.compared, "name of the cluster", "ClusterName")
NEW_CLUSTER = ParameterType(parsers.new_cluster, "name of the new cluster", "NewClusterName")
NAME = ParameterType(parsers.person, "the caller's name; may be left out with a credential", "Person")
KNOWN_NAME = ParameterType(parsers.compared, "the caller's name; may be left out with a credential", "KnownPerson")
TO = ParameterType(parsers.person, "hands the hold over to this person", "Person")
HOLDER = ParameterType(
    parsers.compared, "only clusters that this person holds or whose job they triggered", "KnownPerson"
)
EMAIL = ParameterType(
    parsers.email, "address of the person who triggered the job; the part before the @ is kept", "Email"
)
TRIGGERED_BY = ParameterType(
    parsers.triggered_by, "name of the person who triggered the job; wins over email", "TriggeredBy"
)
USER = ParameterType(
    parsers.triggered_by, "name of the person who wants the cluster; the job sees it as AUTHOR", "TriggeredBy"
)

JOB = ParameterType(parsers.job, "name of the job", "Job")
BUILD = ParameterType(parsers.job, "number of the build", "Build")
KNOWN_JOB = ParameterType(parsers.compared, "name of the job", "KnownJob")
KNOWN_BUILD = ParameterType(parsers.compared, "number of the build", "KnownBuild")
LEASE = ParameterType(parsers.compared, "id of the lease, from the take's answer (`CIMaster-Lease`)", "KnownLease")
TTL = ParameterType(parsers.lease_time, "the lease ends after this time unless it is renewed", "TTL")
WAIT = ParameterType(parsers.wait, "how long to wait in the queue if no cluster is vacant; needs request_id", "Wait")
PRIORITY = ParameterType(
    parsers.priority, "low, normal (default) or high: the queue is served in that order", "Priority"
)
SKIP_IF_NONE = ParameterType(parsers.flag, "true: refuse immediately if none is vacant, even with wait", "Flag")

RESULT = ParameterType(parsers.result, "how the test ended: pass, fail or error", "Result")
HOLD_AFTER = ParameterType(
    parsers.duration,
    "unless the test passed, the person who triggered the job holds the cluster for this time",
    "Duration",
)
HOLD_ON_FAILURE = ParameterType(
    parsers.duration,
    "if the test fails or the lease runs out, the person who triggered the job holds the cluster for this time",
    "Duration",
)

DESC = ParameterType(parsers.plain, "what the hold is for", "Description")
DURATION = ParameterType(parsers.duration, "how long to hold, from now; default 6h", "Duration")
HOLD_END = ParameterType(
    parsers.hold_end, "when the hold ends, instead of `duration`: a time, or `17:30` for the next one in UTC", "HoldEnd"
)
WITH = ParameterType(parsers.people, "people that may extend and release the hold too, separated by commas", "People")
FOR = ParameterType(parsers.person, "holds the cluster for this person; the caller must be an admin", "Person")
HOLD_WAIT = ParameterType(
    parsers.long_wait, "hold it when it is free: how long to stay in the queue, without a connection", "HoldWait"
)
EXPECT = ParameterType(parsers.state, "refuses unless the cluster is in this state", "State")
FORCE = ParameterType(parsers.flag, "true: even if the cluster is in use; needs a reason", "Flag")
REASON = ParameterType(parsers.plain, "the reason; it is kept in the history", "Reason")

HEALTH = ParameterType(parsers.health, "ok, suspect or quarantined", "Health")
CHECK = ParameterType(
    parsers.check_name,
    "check of vacant clusters, by the name that the operator gave it; `none` removes it",
    "CheckName",
)
CHECK_EVERY = ParameterType(
    parsers.check_interval, "time between two checks of a cluster; default 10m", "CheckInterval"
)
CLEAN = ParameterType(
    parsers.check_name, "clean after each use, as the operator named it; `none` removes it", "CheckName"
)
AFTER_EXPIRY = ParameterType(
    parsers.after_expiry,
    "what happens after a lease ran out: `vacant`, `clean` or `quarantine`; `default`: the same as after a finish",
    "AfterExpiry",
)

REGION = ParameterType(parsers.word, "region of the cluster", "Region")
PURPOSE = ParameterType(parsers.word, "what the cluster is for", "Purpose")
OSIMAGE = ParameterType(parsers.word, "image that its machines run", "Image")
LABEL = ParameterType(parsers.label, "a label, `key=value`", "Label")
NOTE = ParameterType(parsers.plain, "a note about the cluster for people", "Note")
CLEAR = ParameterType(
    parsers.cleared_facts, "facts to remove: osimage, label (all of them), note, separated by commas", "ClearedFacts"
)
KNOWN_REGION = ParameterType(parsers.compared, "region of the cluster", "KnownRegion")
KNOWN_PURPOSE = ParameterType(parsers.compared, "what the cluster is for", "KnownPurpose")
KNOWN_IMAGE = ParameterType(parsers.compared, "image that its machines run", "KnownImage")
KNOWN_LABEL = ParameterType(parsers.compared_label, "a label, `key=value`", "KnownLabel")
STATE = ParameterType(parsers.state, "only clusters in this state", "State")
SEARCH = ParameterType(
    parsers.compared, "words to find in names, people, jobs, labels, notes and reasons", "SearchWords"
)
AFTER = ParameterType(parsers.commit, "not older than this commit (`CIMaster-Commit` of an answer)", "CommitNumber")
SINCE = ParameterType(parsers.moment, "only from this time on, or within the last `2h`", "Since")
UNTIL = ParameterType(parsers.moment, "only until this time, or until `2h` ago", "Until")
USAGE_BY = ParameterType(
    parsers.usage_breakdown, "what each row is about: hour, day (default), week, cluster, job, person, …", "UsageBy"
)
FORMAT = ParameterType(parsers.usage_format, "text, json or csv; without it, the header Accept decides", "Format")
LIMIT = ParameterType(parsers.limit, "the largest number of changes to list; default 100", "Limit")
CHANGE_KIND = ParameterType(parsers.compared, "only changes of this kind, such as `taken`", "ChangeKind")
POSITION = ParameterType(
    Position.parse, "only changes before this one: `CIMaster-Next` of the answer with the newer ones", "Position"
)
HISTORY_FORMAT = ParameterType(
    parsers.history_format, "text, json, csv or jsonl; without it, the header Accept decides", "HistoryFormat"
)

CREATION = ParameterType(parsers.compared, "id of a creation, or the name of its ProwJob", "KnownCreation")
CREATION_STATE = ParameterType(parsers.creation_state, "only creations in this state", "CreationState")
BRANCH = ParameterType(parsers.branch, "branch that the job runs on; default master", "Branch")
PROW_JOB = ParameterType(parsers.prow_job, "job that creates the cluster; a setting names the default", "ProwJobName")
MIN_VACANT = ParameterType(parsers.clusters, "creates clusters while fewer are vacant or being created", "ClusterCount")
MAX_TOTAL = ParameterType(
    parsers.clusters, "never more clusters of this purpose than this, including those being created", "ClusterCount"
)
MAX_CREATING = ParameterType(
    parsers.concurrency, "largest number being created at the same time; default 1", "CreationLimit"
)
COOLDOWN = ParameterType(
    parsers.cooldown, "time between two rounds, and at least after a failure; default 5m", "Cooldown"
)
HOURS = ParameterType(
    parsers.hours,
    "when to create: `Mon-Fri 07:00-19:00 Europe/Berlin` (default zone UTC); `always` removes it",
    "Hours",
)
