"""What the manual-trigger service refuses beside what every service refuses; the statuses stand in its `web`."""

from cimaster.errors import Refusal


class NoToken(Refusal):
    """The caller showed no token, or one that is not known."""

    code = "no_token"


class NotAllowed(Refusal):
    """No rule lets this user start this job."""

    code = "not_allowed"


class UnknownJob(Refusal):
    """No such job is in the configuration, or no such ProwJob is in the cluster."""

    code = "unknown_job"


class AmbiguousJob(Refusal):
    """Several jobs of that name run on that branch."""

    code = "ambiguous_job"


class WrongBranch(Refusal):
    """The job is there, and does not run on that branch."""

    code = "wrong_branch"


class WrongRepository(Refusal):
    """The periodic job works on another repository or branch than the caller says."""

    code = "wrong_repository"


class UnsupportedAgent(Refusal):
    """Something other than Kubernetes runs the job, and nothing there would tell it who asked."""

    code = "unsupported_agent"


class BadJob(Refusal):
    """The job's configuration is one that Prow would not take, or choke on."""

    code = "bad_job"


class JobRejected(Refusal):
    """The API server does not take the ProwJob."""

    code = "job_rejected"


class JobFailed(Refusal):
    """The ProwJob is there, and Prow could not run it."""

    code = "job_failed"


class TooMany(Refusal):
    """The user starts jobs faster than the service lets anybody."""

    code = "too_many"


class ConfigurationUnreachable(Refusal):
    """Prow's configuration could not be fetched."""

    code = "configuration_unreachable"


class ConfigurationInvalid(Refusal):
    """What came in place of Prow's configuration is none."""

    code = "configuration_invalid"


class ProwUnreachable(Refusal):
    """The API server of Prow's cluster does not answer, or only with trouble of its own."""

    code = "prow_unreachable"


class ProwForbidden(Refusal):
    """The API server does not let this service do what it must."""

    code = "prow_forbidden"


class ProwMissing(Refusal):
    """The cluster knows no ProwJobs, or has no such namespace."""

    code = "prow_missing"


class OutcomeUnknown(Refusal):
    """The answer of the API server was lost: the ProwJob may or may not be there."""

    code = "outcome_unknown"
