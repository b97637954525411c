"""An inventory for a file, with all facts about each cluster, so that an import of the file restores them."""

from collections.abc import Iterable
from typing import Any

from cimaster.common.texts import printable
from cimaster.pool.decisions.inventory_plan import FACTS
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.json_values import dump
from cimaster.services import inventory_csv

KINDS = {"json": "application/json", "yaml": "application/yaml", "csv": "text/csv"}


def exported(clusters: Iterable[Cluster], kind: str) -> str:
    """Return the facts about clusters as JSON, YAML or CSV. Broken records are left out."""
    entries = [_entry(cluster) for cluster in clusters if not cluster.fault]
    if kind == "csv":
        return inventory_csv.write(entries)
    if kind == "yaml":
        return "".join(map(_yaml, entries)) or "[]\n"
    return "[\n" + ",\n".join(map(dump, entries)) + "\n]\n"


def _entry(cluster: Cluster) -> dict[str, Any]:
    facts = {fact: getattr(cluster, fact) for fact in FACTS} | {"note": printable(cluster.note)}
    return {"name": printable(cluster.name), **facts}


def _yaml(entry: dict[str, Any]) -> str:
    """Return a list entry; the texts are quoted as in JSON, so that `yes` and `012` stay texts."""
    lines = [f"{key}: {dump(value)}" for key, value in entry.items()]
    return "- " + "\n  ".join(lines) + "\n"
