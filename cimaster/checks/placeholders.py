"""Placeholders such as {cluster} in the definition of a check, which stand for facts about the cluster."""

import re
from collections.abc import Callable

from cimaster.pool.records.cluster import Cluster

NAMES = ("cluster", "region", "purpose", "osimage")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def facts(cluster: Cluster) -> dict[str, str]:
    """Return the value of each placeholder for a cluster: one line of visible characters, written by any caller."""
    values = (cluster.name, cluster.region, cluster.purpose, cluster.osimage)
    return dict(zip(NAMES, values, strict=True))


def check(template: str) -> None:
    """Raise ValueError, which says what is expected, if a text has other placeholders or braces."""
    found = _PLACEHOLDER.findall(template)
    if not set(found) <= set(NAMES) or set("{}") & set(_PLACEHOLDER.sub("", template)):
        raise ValueError(f"no other braces than those of {', '.join(f'{{{name}}}' for name in NAMES)}")


def are_in(template: str) -> bool:
    """Say whether a text has placeholders."""
    return any(name in NAMES for name in _PLACEHOLDER.findall(template))


def fill(template: str, cluster: Cluster, encode: Callable[[str], str] = str) -> str:
    """Replace the placeholders with the encoded facts about a cluster."""
    values = facts(cluster)
    return _PLACEHOLDER.sub(lambda found: encode(values[found[1]]), template)
