"""Service accounts: placeholder until the branch `sources` lands."""

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.web.identity.identity import Identity


class ServiceAccounts:
    """Tokens of service accounts, reviewed by the API server."""

    def __init__(self, client: KubernetesClient, clock: Clock | None = None) -> None:
        self.client, self.clock = client, clock

    def review(self, token: str, address: str) -> Identity | None:
        """Return the caller that has a token; None if it is not valid."""
        raise NotImplementedError(token, address)
