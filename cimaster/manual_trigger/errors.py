"""The refusals of the manual-trigger service, in addition to the common ones."""

from cimaster.common.errors import Refusal


class NoToken(Refusal):
    """The request has no token, or an unknown one."""

    code = "no_token"
    status = 401


class NotAllowed(Refusal):
    """No rule lets this user start this job."""

    code = "not_allowed"
    status = 403


class UnknownJob(Refusal):
    """The configuration has no such job, or the cluster no such ProwJob."""

    code = "unknown_job"
    status = 404


class AmbiguousJob(Refusal):
    """Several jobs with that name run on that branch."""

    code = "ambiguous_job"
    status = 409


class WrongBranch(Refusal):
    """The job exists but does not run on that branch."""

    code = "wrong_branch"
    status = 422


class WrongRepository(Refusal):
    """The periodic job works on another repository or branch than the request says."""

    code = "wrong_repository"
    status = 422


class UnsupportedAgent(Refusal):
    """The job does not run on Kubernetes, so its user could not be passed to it."""

    code = "unsupported_agent"
    status = 422


class BadJob(Refusal):
    """The job's configuration is one that Prow would reject or fail on."""

    code = "bad_job"
    status = 422


class JobRejected(Refusal):
    """The API server rejects the ProwJob."""

    code = "job_rejected"
    status = 422


class JobFailed(Refusal):
    """The ProwJob was created but Prow could not run it."""

    code = "job_failed"
    status = 502


class TooMany(Refusal):
    """The user starts jobs faster than the rate limit, or too many requests are waiting."""

    code = "too_many"
    status = 429


class ConfigurationUnreachable(Refusal):
    """Prow's configuration could not be fetched."""

    code = "configuration_unreachable"
    status = 503


class ConfigurationInvalid(Refusal):
    """The content read is not a configuration of Prow."""

    code = "configuration_invalid"
    status = 502


class ProwUnreachable(Refusal):
    """The API server of Prow's cluster does not answer, or with a server error."""

    code = "prow_unreachable"
    status = 503


class ProwForbidden(Refusal):
    """The API server denies this service access."""

    code = "prow_forbidden"
    status = 502


class ProwMissing(Refusal):
    """The cluster has no ProwJob CRD, or no such namespace."""

    code = "prow_missing"
    status = 502


class OutcomeUnknown(Refusal):
    """The API server's answer was lost: it is unknown whether the ProwJob was created."""

    code = "outcome_unknown"
    status = 503
