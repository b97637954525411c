"""The definition of a check: what all kinds have in common, and how the keys of a section become its fields."""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import timedelta
from threading import Event
from typing import Any

from cimaster.common import parsers
from cimaster.pool.records.cluster import Cluster

read_timeout = parsers.duration_up_to(timedelta(days=1))


def key(parse: Callable[[str], Any], default: object = MISSING) -> Any:
    """Declare a key of a section: its parser (whose ValueError says what is expected) and its default, if any."""
    metadata = {"parse": parse}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Definition:
    """A check as the operator defined it; its name is that of the section."""

    name: str

    @classmethod
    def keys(cls) -> "dict[str, Field[Any]]":
        """Return the keys of a section of this kind."""
        return {each.name: each for each in fields(cls) if "parse" in each.metadata}

    def verify(self) -> None:
        """Raise ValueError, which says what to do, if the check cannot be run in this environment."""

    def run(self, cluster: Cluster, key: str, stop: Event) -> str:
        """Run the check or clean on a cluster; return why it failed, or an empty text if it passed.

        A repeat has the same `key`. Raises Interrupted soon after `stop` was set.
        """
        raise NotImplementedError
