"""The files with which an operator says who may do what: whether each can be used as it stands now."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cimaster.web.admins import Admins
from cimaster.web.identity.authentication import Authentication
from cimaster.web.identity.roles import Roles


class OperatorFiles(Collector):
    """The files that this service uses; with `auth = open` that is the list of admins alone."""

    def __init__(self, admins: Admins, roles: Roles, authentication: Authentication | None) -> None:
        self._admins, self._roles, self._authentication = admins, roles, authentication

    def troubles(self) -> dict[str, str]:
        """Read the files again if they have changed, and return why each cannot be used; empty if it can."""
        if not self._authentication:
            return self._admins.troubles()
        return self._authentication.troubles() | self._roles.troubles() | self._admins.troubles()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric."""
        family = GaugeMetricFamily(
            "cimaster_file_usable",
            "1 while the operator's file of tokens, roles, session keys, the proxy's secret or admins can be used",
            labels=("file",),
        )
        for name, trouble in self.troubles().items():
            family.add_metric((name,), float(not trouble))
        yield family
