"""Clusters that cannot be created, and policies that are not there."""

from cimaster.common.errors import Refusal


class UnknownCreation(Refusal):
    """No creation has that id, and none was begun by a job of that name."""

    code = "unknown_creation"
    status = 404


class CreationNotSo(Refusal):
    """The state of the creation forbids what was asked."""

    code = "creation_not_so"
    status = 409


class TooManyCreations(Refusal):
    """So many clusters are being created that no more may be asked for."""

    code = "too_many_creations"
    status = 429


class UnknownPolicy(Refusal):
    """No policy keeps clusters of that purpose."""

    code = "unknown_policy"
    status = 404


class NoProvisioner(Refusal):
    """Nothing is set up that could create clusters."""

    code = "no_provisioner"
    status = 501


class CreationFailed(Refusal):
    """What creates clusters said no, or began and failed."""

    code = "creation_failed"
    status = 502


class ProvisionerUnreachable(Refusal):
    """What creates clusters could not be reached."""

    code = "provisioner_unreachable"
    status = 503


class ProvisionerTimeout(Refusal):
    """What creates clusters did not answer in time; whether it began is found out."""

    code = "provisioner_timeout"
    status = 504
