"""The definition of a check: what all kinds have in common."""

from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from cimaster.common import parsers
from cimaster.common.ini_sections import Section
from cimaster.common.ini_sections import key as key
from cimaster.pool.records.cluster import Cluster

read_timeout = parsers.duration_up_to(timedelta(days=1))


@dataclass(frozen=True)
class Definition(Section):
    """A check as the operator defined it."""

    def run(self, cluster: Cluster, key: str, stop: Event) -> str:
        """Run the check or clean on a cluster; return why it failed, or an empty text if it passed.

        A repeat has the same `key`. Raises Interrupted soon after `stop` was set.
        """
        raise NotImplementedError
