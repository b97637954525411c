"""An inventory in a file: the facts about each cluster, written by hand, or taken from an export of a pool.

```yaml
- {name: cluster-01, region: us-west, labels: {gpu: "yes"}}
- {name: tnet-01, region: eu-central, purpose: tnet-ci, osimage: flatcar-3975, note: ""}
```

CSV works as well, with a line of headings; there, a cluster has each fact that has a column.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from cimaster.common import json_errors
from cimaster.common.texts import brief, printable
from cimaster.errors import BadBody
from cimaster.pool import ClusterFacts
from cimaster.pool.codec import CLUSTERS
from cimaster.pool.decisions.inventory_plan import FACTS, Inventory
from cimaster.pool.records import json_edit
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.json_values import TooDeep
from cimaster.services import inventory_csv, pool_file
from cimaster.services.inventory_csv import FIELDS as _FIELDS

_STORED = "status"  # a field that every stored record has, and no record that is written by hand


def read(text: str) -> Inventory:
    """Return the facts about each cluster in a text; BadBody says which entry is wrong, and how to correct it.

    A fact that an entry leaves out is None, and an empty one is empty.
    """
    found: dict[str, ClusterFacts] = {}
    for place, name, facts in _of_csv(text) if inventory_csv.is_csv(text) else _of_items(text):
        if name in found:
            raise BadBody(
                f"the file lists cluster {brief(name)} twice: keep only one of the entries; {place} repeats it"
            )
        found[name] = facts
    return found


_Entries = Iterator[tuple[str, str, ClusterFacts]]
"""For each entry of the file its place, for refusals, then the name and the facts."""


def _of_csv(text: str) -> _Entries:
    for number, fields in inventory_csv.read(text):
        place = f"line {number} of the file"
        name = _name(place, fields)
        yield place, name, _written_facts(f"{place} ({brief(name)})", fields)


def _of_items(text: str) -> _Entries:
    for number, item in enumerate(_items(text), 1):
        place = f"entry {number} of the file"
        name = _name(place, item.value)
        named = f"{place} ({brief(name)})"
        is_stored = _STORED in item.value
        yield place, name, _stored_facts(named, item) if is_stored else _written_facts(named, item.value)


def _items(text: str) -> tuple[json_edit.Item, ...]:
    try:
        return json_edit.parse_array(pool_file.data_of(text)[CLUSTERS]).items
    except json_edit.NotAnArray as error:
        raise BadBody(f"the file has a {CLUSTERS} that cannot be read: {error}") from None
    except ValueError as error:
        raise BadBody(f"the file has a {CLUSTERS} that {json_errors.reason(error)}: correct it") from None


def _name(place: str, value: Any) -> str:
    if isinstance(value, TooDeep):
        raise BadBody(f"{place} is nested too deeply: expected a cluster with {', '.join(_FIELDS)}")
    if not isinstance(value, dict):
        raise BadBody(f"{place} is {pool_file.kind_of(value)}: expected a cluster with {', '.join(_FIELDS)}")
    if "name" not in value:
        raise BadBody(f"{place} has no name: name the cluster")
    name = _text(place, "name", value["name"])
    if not name:
        raise BadBody(f"{place} has an empty name: name the cluster")
    return name


def _stored_facts(place: str, item: json_edit.Item) -> ClusterFacts:
    """Return the facts of a record as the service stores it; its other fields are state, and do not count."""
    cluster = Cluster(item.text, item.value)
    if cluster.fault:
        raise BadBody(f"{place} is broken ({cluster.fault}): correct it, or take it out")
    facts: dict[str, Any] = {fact: getattr(cluster, fact) for fact in FACTS if fact in item.value}
    if "note" in facts:
        facts["note"] = printable(cluster.note)
    return ClusterFacts(**facts)


def _written_facts(place: str, value: Mapping[str, Any]) -> ClusterFacts:
    for field in value:
        if field not in _FIELDS:
            raise BadBody(f"{place} has an unknown field {brief(str(field))}: {_remedy(str(field))}")
    facts: dict[str, Any] = {}
    for fact in FACTS:
        if fact in value:
            facts[fact] = _labels(place, value[fact]) if fact == "labels" else _text(place, fact, value[fact])
    return ClusterFacts(**facts)


def _remedy(field: str) -> str:
    near = difflib.get_close_matches(field, _FIELDS, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"expected {', '.join(_FIELDS)}"


def _text(place: str, field: str, value: Any) -> str:
    """Return a text as one line; nothing after the colon, as YAML allows it, is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadBody(
            f"{place} has a {field} that is {pool_file.kind_of(value)}: expected a text, in quotes if need be"
        )
    return printable(value)


def _labels(place: str, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadBody(
            f"{place} has labels that are {pool_file.kind_of(value)}: expected keys with values, such as "
            '{gpu: "yes", size: large}'
        )
    return {key: _text(place, f"label {brief(key)}", text) for key, text in value.items()}
