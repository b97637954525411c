"""YAML read by the core schema of version 1.2, where `yes` and dates are text and `012` is twelve.

PyYAML's own rules are those of YAML 1.1, which Go's reader shares only in part.
"""

import re
from typing import Any

import yaml

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster, and not everywhere
_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": (re.compile(r"(?:null|Null|NULL|~|)$"), ("n", "N", "~", "")),
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), tuple("tTfF")),
    "int": (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), tuple("-+0123456789")),
    "float": (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), tuple("-+.0123456789")),
}


class _Loader(_SAFE):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 the library's own name and kind
    yaml_constructors = {  # noqa: RUF012
        tag: construct
        for tag, construct in _SAFE.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "str", "seq", "map")
    }


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _number(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node))


for _name, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, _first)
_Loader.add_constructor(_TAG + "int", _integer)
_Loader.add_constructor(_TAG + "float", _number)


def read(data: bytes) -> Any:
    """Read the first document; ValueError says where it is no YAML."""
    loader = None
    try:
        loader = _Loader(data)
        return loader.get_data() if loader.check_data() else None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it is not valid YAML: {' '.join(str(error).split())[:300]}") from None
    finally:
        if loader is not None:
            loader.dispose()
