"""What the manual-trigger service refuses beside what every service refuses."""

from cimaster.common.errors import Refusal


class NoToken(Refusal):
    """The caller showed no token, or one that is not known."""

    code = "no_token"
    status = 401


class NotAllowed(Refusal):
    """No rule lets this user start this job."""

    code = "not_allowed"
    status = 403


class UnknownJob(Refusal):
    """No such job is in the configuration, or no such ProwJob is in the cluster."""

    code = "unknown_job"
    status = 404


class AmbiguousJob(Refusal):
    """Several jobs of that name run on that branch."""

    code = "ambiguous_job"
    status = 409


class WrongBranch(Refusal):
    """The job is there, and does not run on that branch."""

    code = "wrong_branch"
    status = 422


class WrongRepository(Refusal):
    """The periodic job works on another repository or branch than the caller says."""

    code = "wrong_repository"
    status = 422


class UnsupportedAgent(Refusal):
    """Something other than Kubernetes runs the job, and nothing there would tell it who asked."""

    code = "unsupported_agent"
    status = 422


class BadJob(Refusal):
    """The job's configuration is one that Prow would not take, or choke on."""

    code = "bad_job"
    status = 422


class JobRejected(Refusal):
    """The API server does not take the ProwJob."""

    code = "job_rejected"
    status = 422


class JobFailed(Refusal):
    """The ProwJob is there, and Prow could not run it."""

    code = "job_failed"
    status = 502


class TooMany(Refusal):
    """The user starts jobs faster than the service lets anybody."""

    code = "too_many"
    status = 429


class ConfigurationUnreachable(Refusal):
    """Prow's configuration could not be fetched."""

    code = "configuration_unreachable"
    status = 503


class ConfigurationInvalid(Refusal):
    """What came in place of Prow's configuration is none."""

    code = "configuration_invalid"
    status = 502


class ProwUnreachable(Refusal):
    """The API server of Prow's cluster does not answer, or only with trouble of its own."""

    code = "prow_unreachable"
    status = 503


class ProwForbidden(Refusal):
    """The API server does not let this service do what it must."""

    code = "prow_forbidden"
    status = 502


class ProwMissing(Refusal):
    """The cluster knows no ProwJobs, or has no such namespace."""

    code = "prow_missing"
    status = 502


class OutcomeUnknown(Refusal):
    """The answer of the API server was lost: the ProwJob may or may not be there."""

    code = "outcome_unknown"
    status = 503
