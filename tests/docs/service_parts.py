"""The generated parts of the pages about the service itself, one function each."""

import ast
import configparser
import inspect
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import Field
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

from prometheus_client import CollectorRegistry, Metric

from cimaster import errors, provisioners
from cimaster.app import create_app
from cimaster.common.errors import Refusal
from cimaster.common.serving import early_refusals
from cimaster.common.settings import default_text
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.web.endpoints import ENDPOINTS, Endpoint
from cimaster.web.identity.roles import Role, with_implied
from tests.docs.markdown import ROOT, table

GIVING_ACCESS = tuple(role for role in Role if role is not Role.FOR_OTHERS)
"""The roles that allow endpoints; the other one only says whom a request may name."""

FRAMEWORK = {
    "bad_request": (HTTPStatus.BAD_REQUEST, "The request is no valid HTTP."),
    "not_found": (HTTPStatus.NOT_FOUND, "There is no such path."),
    "method_not_allowed": (
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path does not answer this method; `Allow` names others.",
    ),
    "request_entity_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than 64 kB."),
    "internal_error": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed; its log has the reason, under the request's id.",
    ),
}


def endpoint_table() -> str:
    """Return every endpoint with what it does and the role that may use it."""
    return table(("path", "what it does", "role"), ([_shown(e), e.summary, e.access] for e in ENDPOINTS))


def role_table() -> str:
    """Return every role with what it allows."""
    return table(("role", "allows"), ([f"`{role}`", role.meaning] for role in Role))


def access_table() -> str:
    """Return every endpoint with the roles whose callers may use it."""
    rows = ([_shown(endpoint), *(_access(endpoint, role) for role in GIVING_ACCESS)] for endpoint in ENDPOINTS)
    return table(("path", *GIVING_ACCESS), rows)


def _access(endpoint: Endpoint[Any], role: Role) -> str:
    return "yes" if may_use(endpoint, role) else ""


def may_use(endpoint: Endpoint[Any], role: Role) -> bool:
    """Say whether a caller that has only this role may use an endpoint."""
    return not endpoint.roles or bool(endpoint.roles & with_implied({role}))


def endpoint_sections() -> str:
    """Return a section for each endpoint: methods, role, parameters."""
    return "\n".join(_section(endpoint) for endpoint in ENDPOINTS)


def _shown(endpoint: Endpoint[Any]) -> str:
    post_only = "" if "GET" in endpoint.methods else "POST "
    return f"{post_only}`{endpoint.path}`"


def _section(endpoint: Endpoint[Any]) -> str:
    summary = endpoint.summary[0].upper() + endpoint.summary[1:]
    lines = f"### {_shown(endpoint)}\n\n{summary}. {' or '.join(endpoint.methods)}; role: {endpoint.access}.\n"
    if not endpoint.parameters:
        return lines
    rows = ([_parameter(p.name, p.required), _meaning(p.meaning, p.repeated)] for p in endpoint.parameters)
    return f"{lines}\n{table(('parameter', 'meaning'), rows)}"


def _parameter(name: str, required: bool) -> str:
    return f"**`{name}`**" if required else f"`{name}`"


def _meaning(meaning: str, repeated: bool) -> str:
    return f"{meaning}; may be repeated" if repeated else meaning


def code_table() -> str:
    """Return every code of a refusal with its status and meaning."""
    told = {each.code: (each.status, first_line(each)) for each in refusals()}
    server = {early_refusals.code_of(status): (status, words) for status, words in _server_refusals()}
    everything = {**server, **FRAMEWORK, **told}
    by_status = sorted(everything.items(), key=lambda item: (int(item[1][0]), item[0]))
    rows = ([f"`{code}`", str(int(status)), meaning] for code, (status, meaning) in by_status)
    return table(("code", "status", "meaning"), rows)


def refusals() -> list[Any]:
    """Return every class of refusal, and of trouble with the store, that the service answers with."""
    return coded(errors)


def coded(*modules: ModuleType) -> list[Any]:
    """Return the exceptions of modules that have a code of their own."""
    classes = {each for module in modules for each in vars(module).values() if hasattr(each, "code")}
    return [each for each in classes if each.code != Refusal.code]


def first_line(documented: object) -> str:
    """Return the first paragraph of a docstring."""
    return _first_paragraph(inspect.getdoc(documented) or "")


def _first_paragraph(docstring: str) -> str:
    return docstring.partition("\n\n")[0].replace("\n", " ")


def _server_refusals() -> Iterator[tuple[int, str]]:
    for kind, (status, sentence) in early_refusals.REFUSALS.items():
        cause = first_line(kind) if kind.__module__.startswith("cimaster") else ""
        words = sentence.replace("{}: ", cause.rstrip(".") + ": " if cause else "")
        yield status, f"{words[0].upper()}{words[1:]}."


def setting_table() -> str:
    """Return every setting of the service and its provisioners with default and meaning."""
    return settings_as_table(provisioners.all_settings())


def settings_as_table(variables: "Iterable[tuple[str, Field[Any]]]") -> str:
    """Return settings as a table."""
    rows = ([f"`{name}`", _default(field), _setting(field)] for name, field in variables)
    return table(("setting", "default", "meaning"), rows)


def _default(field: "Field[Any]") -> str:
    default = default_text(field)
    return f"`{default}`" if default else "none"


def _setting(field: "Field[Any]") -> str:
    meaning, alias = str(field.metadata["meaning"]), field.metadata["alias"]
    return meaning + (f" (also the flag `{alias}`)" if alias else "")


def metric_table() -> str:
    """Return every metric of the service with its type and meaning."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "users").write_text("admin")
        app = create_app(Settings(admin_dir=folder), SQLiteStore(str(Path(folder) / "pool.db"), "clusters"))
        return metrics_as_table(components_of(app).metrics.registry, "cimaster_")


def metric_name(family: Metric) -> str:
    """Return the name of a metric as Prometheus shows it, without the parts of a histogram."""
    ending: str = {"counter": "_total", "info": "_info"}.get(family.type, "")
    return family.name + ending


def metrics_as_table(registry: CollectorRegistry, prefix: str) -> str:
    """Return the metrics of a registry whose names begin with `prefix`, as Prometheus shows them."""
    families = sorted(registry.collect(), key=lambda family: family.name)
    rows = (
        [f"`{metric_name(family)}`", family.type, family.documentation]
        for family in families
        if family.name.startswith(prefix)
    )
    return table(("metric", "type", "meaning"), rows)


def package_tree() -> str:
    """Return the packages in the order of the import contract, each with the first paragraph of its docstring."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"].split("\n")
    names = [[name.strip() for name in layer.split("|")] for layer in layers if layer.strip()]
    paths = [path for row in names for name in row for path in _with_subpackages(ROOT / "cimaster" / name)]
    return table(("package", "what it is for"), ([_folder(path), _about(path)] for path in paths))


def _with_subpackages(path: Path) -> Iterator[Path]:
    yield path
    yield from sorted(init.parent for init in path.glob("*/__init__.py"))


def _folder(path: Path) -> str:
    name = path.relative_to(ROOT / "cimaster").as_posix()
    return f"`{name}/`" if path.is_dir() else f"`{name}.py`"


def _about(path: Path) -> str:
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return _first_paragraph(docstring)
