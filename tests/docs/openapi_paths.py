"""The paths of openapi.yaml, written from the endpoint table; its components are written by hand."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cimaster.common.parameters import Parameter
from cimaster.web.endpoints import ENDPOINTS, OPERATION, Endpoint

OPENAPI = Path(__file__).parents[2] / "cimaster" / "openapi.yaml"
_READ = {400: "BadRequest", 401: "Unauthenticated", 403: "Forbidden", 500: "Failed", 503: "StoreTrouble"}
_CHANGE = {**_READ, 403: "CrossOrigin", 405: "UsePost", 413: "TooLarge"}
_IDEMPOTENCY_KEY = {"$ref": "#/components/parameters/IdempotencyKey"}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what occurs twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def paths() -> str:
    """Return the `paths` of openapi.yaml, without that key, indented as they stand there."""
    described: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("<", "{").replace(">", "}")
        operations = described.setdefault(path, {})
        for method in endpoint.methods:
            operations[method.lower()] = _operation(endpoint, method)
    text = yaml.dump(described, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=118)
    return "\n".join(f"  {line}" if line.strip() else line for line in text.splitlines())


def _operation(endpoint: Endpoint[Any], method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint, method),
        "tags": [endpoint.tag],
        "summary": endpoint.summary + ".",
    }
    if endpoint.description:
        operation["description"] = endpoint.description + "\n"
    if parameters := _parameters(endpoint, method):
        operation["parameters"] = parameters
    if method == "POST":
        operation["requestBody"] = _body(endpoint)
    operation["responses"] = {
        str(status): {"$ref": f"#/components/responses/{name}"} for status, name in sorted(_answers(endpoint).items())
    }
    return operation


def _operation_id(endpoint: Endpoint[Any], method: str) -> str:
    if "<" in endpoint.path:
        return "oneCluster"
    name = endpoint.name.partition(".")[0]
    return f"post{name.capitalize()}" if method == "POST" else name


def _answers(endpoint: Endpoint[Any]) -> Mapping[int, str]:
    if endpoint.tag == OPERATION:
        return endpoint.answers
    common = dict(_CHANGE if endpoint.changes else _READ)
    return {**common, **endpoint.answers}


def _parameters(endpoint: Endpoint[Any], method: str) -> list[dict[str, Any]]:
    if "<" in endpoint.path:
        return [_in_path()]
    described = [_query(parameter) for parameter in endpoint.parameters] if method == "GET" else []
    if endpoint.changes and (parameter := endpoint.parameter("request_id")) and not parameter.required:
        described.append(_IDEMPOTENCY_KEY)
    return described


def _in_path() -> dict[str, Any]:
    return {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "Name of the cluster, or `#3.1a2b3c4d` for the broken record at position 3.",
        "schema": _schema("ClusterName"),
    }


def _query(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "in": "query"}
    if parameter.required:
        described["required"] = True
    described["description"] = f"{parameter.meaning[0].upper()}{parameter.meaning[1:]}."
    if parameter.repeated:
        described |= {"style": "form", "explode": True}
        described["schema"] = {"type": "array", "items": _schema(parameter.schema)}
    else:
        described["schema"] = _schema(parameter.schema)
    return described


def _body(endpoint: Endpoint[Any]) -> dict[str, Any]:
    required = [parameter.name for parameter in endpoint.parameters if parameter.required]
    properties = {
        parameter.name: _schema(parameter.schema + "s" if parameter.repeated else parameter.schema)
        for parameter in endpoint.parameters
    }
    schema = {"type": "object", "additionalProperties": False, "required": required, "properties": properties}
    form: dict[str, Any] = {"schema": schema}
    if repeated := [parameter.name for parameter in endpoint.parameters if parameter.repeated]:
        form["encoding"] = {name: {"style": "form", "explode": True} for name in repeated}
    return {
        "required": True,
        "content": {
            "application/json": {"schema": schema, "example": _example(endpoint)},
            "application/x-www-form-urlencoded": form,
        },
    }


def _example(endpoint: Endpoint[Any]) -> dict[str, Any]:
    """Return a body with the required parameters, from the examples of their schemas."""
    required = [parameter for parameter in endpoint.parameters if parameter.required]
    return {parameter.name: _schemas()[parameter.schema]["examples"][0] for parameter in required}


@cache
def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = yaml.safe_load(OPENAPI.read_text("utf-8"))["components"]["schemas"]
    return schemas


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def written() -> str:
    """Return the paths as openapi.yaml has them now."""
    return OPENAPI.read_text("utf-8").partition("\npaths:\n")[2].partition("\n\ncomponents:\n")[0]


def write() -> None:
    """Write the paths into openapi.yaml."""
    text = OPENAPI.read_text("utf-8")
    OPENAPI.write_text(text.replace(written(), paths()), "utf-8")
