"""A pool in a file: a bare array of clusters, an export, or the ConfigMap as kubectl prints it; JSON or YAML."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cimaster.common import json_errors, yaml_core_schema
from cimaster.common.file_text import decoded
from cimaster.errors import BadBody
from cimaster.pool.codec import CLUSTERS
from cimaster.repository.history_slot import META
from cimaster.repository.stores.port import StoredObject

_LARGEST = 64 << 20  # bytes; the largest archive of history has 40 objects of 1 MB, which base64 makes 1.3 MB
_EXPECTED = (
    f"expected an array of clusters, the output of cimaster export, or a ConfigMap with {CLUSTERS} as written by "
    "kubectl get configmap clusters -o yaml, in JSON or YAML"
)
_MAX_NAMED = 5  # objects or keys that a refusal names


def read(path: str) -> str:
    """Return the text of a file, or of standard input for `-`; BadBody if there is none, or it is too large."""
    if path == "-":
        data = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        try:
            with Path(path).open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise BadBody(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise BadBody(f"the file is larger than {_LARGEST >> 20} MB, too large for a pool: {_EXPECTED}")
    try:
        return decoded(data)
    except ValueError as error:
        raise BadBody(f"the file is not text: {error}") from None


class PoolFile(NamedTuple):
    """What a file contains: the data of the pool, and the objects of its archive of history if it has them."""

    data: Mapping[str, str]
    archive: Sequence[StoredObject] = ()


def data_of(text: str) -> Mapping[str, str]:
    """Return the data of the pool in a text; raises as `contents_of` does."""
    return contents_of(text).data


def contents_of(text: str) -> PoolFile:
    """Return the contents of a text; records in JSON keep their bytes.

    BadBody says what the text contains instead of a pool, and what is expected.
    """
    is_json = text.lstrip()[:1] in ("[", "{")
    documents = [_json(text)] if is_json else _yaml(text)
    if len(documents) == 1 and isinstance(documents[0], list):
        return PoolFile({CLUSTERS: text if is_json else _as_json(documents[0])})
    objects = [each for document in documents for each in _objects(document)]
    pools = [each for each in objects if _is_pool(each)]
    if len(pools) > 1:
        raise BadBody(
            f"the file contains {len(pools)} pools ({_listed(map(_described, pools))}): keep only one of them"
        )
    if not pools:
        raise BadBody(
            f"the file contains {_listed(map(_described, objects)) or 'nothing'} instead of a pool: {_EXPECTED}"
        )
    data: dict[str, str] = pools[0]["data"]
    for key, value in data.items():
        if not isinstance(value, str):
            raise BadBody(f"the file contains {_described(pools[0])}, but {key} is {kind_of(value)}: expected text")
    return PoolFile(data, [StoredObject(each) for each in objects if _is_archive(each)])


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the file {json_errors.reason(error)}: correct it, or export the pool again") from None


def _yaml(text: str) -> list[Any]:
    try:
        return list(yaml_core_schema.documents(text.encode()))
    except ValueError as error:
        raise BadBody(f"the file looks like YAML, but {error}") from None


def _as_json(array: list[Any]) -> str:
    try:
        lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) for record in array]
    except ValueError:  # infinity, NaN, or a number with too many digits for Python to write
        raise BadBody("the file has a number that JSON cannot express: remove it, or put it in quotes") from None
    return "[\n" + ",\n".join(lines) + "\n]"


def _objects(value: Any) -> Iterator[Any]:
    """Yield the items of a Kubernetes List, or the value itself if it is not a List."""
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        for each in value["items"]:
            yield from _objects(each)
    else:
        yield value


def _is_pool(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), dict) and CLUSTERS in value["data"]


def _is_archive(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), dict) and META in value["data"]


def _listed(words: Iterable[object]) -> str:
    names = [str(word)[:60] for word in words]
    more = [f"{len(names) - _MAX_NAMED} more"] if len(names) > _MAX_NAMED else []
    return ", ".join(names[:_MAX_NAMED] + more)


def _described(value: Any) -> str:
    """Describe a Kubernetes object, or any other value, for a refusal."""
    if not isinstance(value, dict) or not value:
        return kind_of(value)
    if "kind" not in value:
        return f"an object with {_listed(value)}"
    metadata, data = value.get("metadata"), value.get("data")
    name = f" {metadata.get('name', '')}" if isinstance(metadata, dict) else ""
    return f"a {value['kind']}{name}" + (f" with {_listed(data)}" if isinstance(data, dict) and data else "")


def kind_of(value: Any) -> str:
    """Say of which type a value of the file is, for a refusal."""
    kinds = {
        str: "a text",
        list: "a list",
        dict: "an object" if value else "an empty object",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value)) or json.dumps(value)
