"""Refusals about clusters that cannot be created, and about unknown policies."""

from cimaster.common.errors import Refusal


class UnknownCreation(Refusal):
    """No creation has that id or a job of that name."""

    code = "unknown_creation"
    status = 404


class WrongCreationState(Refusal):
    """The state of the creation does not allow this."""

    code = "creation_not_so"
    status = 409


class TooManyCreations(Refusal):
    """Too many clusters are being created already: wait, or dismiss those that are not needed."""

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
    """The provisioner refused, or it started and failed."""

    code = "creation_failed"
    status = 502


class ProvisionerUnreachable(Refusal):
    """The provisioner could not be reached."""

    code = "provisioner_unreachable"
    status = 503


class ProvisionerTimeout(Refusal):
    """The provisioner did not answer in time; CIMaster goes on to find out whether it started."""

    code = "provisioner_timeout"
    status = 504
