"""Refusals about creations of clusters, and about unknown policies."""

from cimaster.common.errors import Refusal


class UnknownCreation(Refusal):
    """No creation has that id, or a job with that name."""

    code = "unknown_creation"
    status = 404


class WrongCreationState(Refusal):
    """The state of the creation does not allow this."""

    code = "creation_not_so"
    status = 409


class TooManyCreations(Refusal):
    """Too many clusters are being created already: wait, or dismiss creations that are not needed."""

    code = "too_many_creations"
    status = 429


class UnknownPolicy(Refusal):
    """There is no policy for that purpose."""

    code = "unknown_policy"
    status = 404


class NoProvisioner(Refusal):
    """No provisioner is configured."""

    code = "no_provisioner"
    status = 501


class CreationFailed(Refusal):
    """The provisioner refused the creation, or started it and failed."""

    code = "creation_failed"
    status = 502


class ProvisionerUnreachable(Refusal):
    """The provisioner could not be reached."""

    code = "provisioner_unreachable"
    status = 503


class ProvisionerTimeout(Refusal):
    """The provisioner did not answer in time; CIMaster keeps checking whether it started a job."""

    code = "provisioner_timeout"
    status = 504
