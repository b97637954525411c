"""The files that an operator mounts: whether each can be used as it stands now."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class FileUser(Protocol):
    """A part of the service that uses files of the operator."""

    def troubles(self) -> dict[str, str]:
        """Read the files again if they have changed, and return why each cannot be used; empty if it can."""


class OperatorFiles(Collector):
    """The files that the parts of this service use."""

    def __init__(self, users: Iterable[FileUser]) -> None:
        self._users = tuple(users)

    def troubles(self) -> dict[str, str]:
        """Read the files again if they have changed, and return why each cannot be used; empty if it can."""
        return {name: trouble for user in self._users for name, trouble in user.troubles().items()}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without collecting them."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric."""
        family = GaugeMetricFamily(
            "cimaster_file_usable",
            "1 while the file of tokens, roles, session keys, proxy secret, admins, checks or notices can be used",
            labels=("file",),
        )
        for name, trouble in self.troubles().items():
            family.add_metric((name,), float(not trouble))
        yield family
