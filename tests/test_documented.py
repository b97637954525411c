"""The table in code, the routes, openapi.yaml, the README and docs/ describe the same API."""

import re
from dataclasses import Field, replace
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests
import yaml
from flask import Flask

from cimaster import errors, provisioners
from cimaster.app import create_app
from cimaster.cli import settings as client_settings
from cimaster.cli.client import Lease
from cimaster.cli.job_run import facts
from cimaster.common.serving import early_refusals
from cimaster.common.settings import default_text
from cimaster.pool.records.cluster import STATES
from cimaster.pool.records.creation import Creation
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import PREFIX, Settings
from cimaster.web import endpoints
from cimaster.web.components import components_of
from cimaster.web.endpoints import ENDPOINTS, VERBS, Endpoint
from tests.docs import markdown
from tests.docs.service_parts import metric_name

ROOT = Path(__file__).parent.parent
API, ARCHITECTURE, OPERATIONS = "docs/api.md", "docs/architecture.md", "docs/operations.md"
PAGES = [page for page in markdown.PAGES if page != "docs/manual-trigger.md"]  # tests/manual_trigger checks that one
DESCRIBED: dict[str, Any] = yaml.safe_load((ROOT / "cimaster" / "openapi.yaml").read_text("utf-8"))
BY_PATH = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
BY_GET = pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if "GET" in e.methods], ids=lambda e: e.name)
OF_A_VERB = pytest.mark.parametrize("endpoint", VERBS, ids=lambda endpoint: endpoint.name)


@pytest.fixture
def idle(tmp_path: Path) -> Flask:
    """An application whose threads do not run."""
    return create_app(Settings(), SQLiteStore(str(tmp_path / "pool.db"), "clusters"))


def resolved(node: Any) -> Any:
    """Follow a reference inside of openapi.yaml."""
    while isinstance(node, dict) and "$ref" in node:
        at: Any = DESCRIBED
        for key in node["$ref"].removeprefix("#/").split("/"):
            at = at[key]
        node = at
    return node


def described(endpoint: Endpoint[Any]) -> dict[str, Any]:
    """Return the operations of an endpoint in openapi.yaml, by method."""
    found: dict[str, Any] = DESCRIBED["paths"][endpoint.path.replace("<", "{").replace(">", "}")]
    return {
        method: described_meaning for method, described_meaning in found.items() if method.upper() in endpoint.methods
    }


def query_of(endpoint: Endpoint[Any]) -> dict[str, dict[str, Any]]:
    """Return the query parameters of an endpoint's GET by name."""
    parameters = [resolved(parameter) for parameter in described(endpoint)["get"].get("parameters", [])]
    return {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}


def body_of(endpoint: Endpoint[Any]) -> list[dict[str, Any]]:
    """Return the schemas of the bodies that an endpoint's POST takes."""
    return [content["schema"] for content in described(endpoint)["post"]["requestBody"]["content"].values()]


def table(endpoint: Endpoint[Any]) -> dict[str, bool]:
    """Return the parameters in the table, and whether they are required."""
    return {parameter.name: parameter.required for parameter in endpoint.parameters}


def test_an_endpoint_for_admins_must_take_a_name() -> None:
    with pytest.raises(TypeError, match="/clusters is for admins"):
        replace(endpoints.CLUSTERS, roles=endpoints.ADMINS)


def test_openapi_describes_the_endpoints_of_the_table_and_no_others() -> None:
    assert set(DESCRIBED["paths"]) == {re.sub("<(.*)>", r"{\1}", endpoint.path) for endpoint in ENDPOINTS}


def test_every_endpoint_has_a_route_with_its_methods(idle: Flask) -> None:
    routes = {
        (re.sub("<.*:", "<", rule.rule), method) for rule in idle.url_map.iter_rules() for method in rule.methods or ()
    }
    for endpoint in ENDPOINTS:
        assert {(endpoint.path, method) for method in endpoint.methods} <= routes
    served = {pair for pair in routes if pair[0] in {e.path for e in ENDPOINTS} and pair[1] in ("GET", "POST")}
    assert served == {(endpoint.path, method) for endpoint in ENDPOINTS for method in endpoint.methods}


def test_every_route_of_the_api_is_in_the_table(idle: Flask) -> None:
    rules = [rule for rule in idle.url_map.iter_rules() if rule.endpoint.startswith(("api.", "health."))]
    assert {re.sub("<.*:", "<", rule.rule) for rule in rules} == {endpoint.path for endpoint in ENDPOINTS}


def test_every_other_route_is_a_page_or_a_file_of_one(idle: Flask) -> None:
    known = {endpoint.path for endpoint in ENDPOINTS}
    others = {re.sub("<.*:", "<", rule.rule) for rule in idle.url_map.iter_rules()} - known
    assert all(path in ("/", "/ui") or path.startswith(("/ui/", "/static/")) for path in others), others


@BY_PATH
def test_openapi_describes_the_methods(endpoint: Endpoint[Any]) -> None:
    assert set(described(endpoint)) == {method.lower() for method in endpoint.methods}
    for operation in described(endpoint).values():
        assert operation["summary"].rstrip(".").casefold() == endpoint.summary.casefold() or not endpoint.changes


@BY_GET
def test_openapi_describes_the_parameters_of_get(endpoint: Endpoint[Any]) -> None:
    assert {name: p.get("required", False) for name, p in query_of(endpoint).items()} == table(endpoint)


@OF_A_VERB
def test_openapi_describes_the_parameters_of_post(endpoint: Endpoint[Any]) -> None:
    for schema in body_of(endpoint):
        assert {name: name in schema["required"] for name in schema["properties"]} == table(endpoint)
        assert schema["additionalProperties"] is False


@BY_GET
def test_parameters_that_may_be_repeated_are_arrays(endpoint: Endpoint[Any]) -> None:
    for parameter in endpoint.parameters:
        assert (resolved(query_of(endpoint)[parameter.name]["schema"]).get("type") == "array") is parameter.repeated


@BY_GET
def test_openapi_and_the_table_describe_parameters_alike(endpoint: Endpoint[Any]) -> None:
    for parameter in endpoint.parameters:
        described_meaning = query_of(endpoint)[parameter.name]["description"].replace("`", "").casefold()
        assert described_meaning.startswith(parameter.meaning.replace("`", "").casefold()), parameter.name


@BY_GET
def test_every_example_is_accepted_by_the_service(endpoint: Endpoint[Any]) -> None:
    for parameter in endpoint.parameters:
        shown = query_of(endpoint)[parameter.name]
        schema = resolved(shown["schema"])
        schema = resolved(schema["items"]) if schema.get("type") == "array" else schema
        examples = schema.get("examples", []) + ([shown["example"]] if "example" in shown else [])
        assert examples, parameter.name
        for example in examples:
            parameter.read(str(example))


@OF_A_VERB
def test_examples_of_bodies_are_accepted_by_the_service(endpoint: Endpoint[Any]) -> None:
    example = described(endpoint)["post"]["requestBody"]["content"]["application/json"]["example"]
    assert {p.name for p in endpoint.parameters if p.required} <= set(example)
    for name, value in example.items():
        parameter = endpoint.parameter(name)
        assert parameter is not None
        for text in value if isinstance(value, list) else [value]:
            parameter.read(str(text).lower() if isinstance(text, bool) else str(text))


@OF_A_VERB
def test_verbs_take_the_header_idempotency_key(endpoint: Endpoint[Any]) -> None:
    for operation in described(endpoint).values():
        headers = [p["name"] for p in map(resolved, operation.get("parameters", [])) if p["in"] == "header"]
        identity = endpoint.parameter("request_id")
        assert headers == (["Idempotency-Key"] if identity and not identity.required else [])


def all_refusals() -> set[type[errors.Problem]]:
    """Return every class of refusal of CIMaster."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    return {
        each for each in classes if issubclass(each, errors.Problem) and each not in (errors.Problem, errors.Refusal)
    }


def test_every_refusal_has_a_status_and_a_code_of_its_own() -> None:
    refusals = all_refusals()
    assert len({refusal.code for refusal in refusals}) == len(refusals)
    assert all(400 <= refusal.status < 600 and refusal.status != 500 for refusal in refusals)


def test_openapi_lists_every_code() -> None:
    listed = DESCRIBED["components"]["schemas"]["Code"]
    framework = {
        "bad_request",
        "not_found",
        "method_not_allowed",
        "request_entity_too_large",
        "internal_error",
    }
    server = {early_refusals.code_of(status) for status, _ in early_refusals.REFUSALS.values()}
    assert set(listed["enum"]) == {refusal.code for refusal in all_refusals()} | framework | server
    assert set(re.findall(r"`(\w+)`", listed["description"])) - {"force", "lease"} == set(listed["enum"])


def test_openapi_lists_every_state() -> None:
    assert DESCRIBED["components"]["schemas"]["State"]["enum"] == list(STATES)


@BY_PATH
def test_every_answer_is_described_with_its_headers(endpoint: Endpoint[Any]) -> None:
    for operation in described(endpoint).values():
        for status, answer in operation["responses"].items():
            headers = set(resolved(answer)["headers"])
            assert "X-Request-ID" in headers
            if int(status) >= 400 and endpoint is not endpoints.READYZ:
                assert "CIMaster-Code" in headers


@BY_PATH
@pytest.mark.parametrize("page", ["README.md", API])
def test_the_page_documents_the_endpoint(page: str, endpoint: Endpoint[Any]) -> None:
    assert endpoint.path in markdown.ticked(page)


def heading(endpoint: Endpoint[Any]) -> str:
    """Return the heading of an endpoint's section."""
    return f"### {'' if 'GET' in endpoint.methods else 'POST '}`{endpoint.path}`"


@BY_PATH
def test_the_page_documents_the_parameters_and_which_are_required(endpoint: Endpoint[Any]) -> None:
    cells = [row[0] for row in markdown.rows(markdown.section(API, heading(endpoint)))][2:]
    documented = {cell.strip("*`"): cell.startswith("**") for cell in cells}
    assert documented == table(endpoint)


@pytest.mark.parametrize("refusal", sorted(all_refusals(), key=attrgetter("code")), ids=attrgetter("code"))
def test_the_page_documents_the_refusal_and_its_status(refusal: type[errors.Problem]) -> None:
    row = next(row for row in markdown.rows(markdown.section(API, "## Refusals")) if row[0] == f"`{refusal.code}`")
    assert row[1] == str(refusal.status)


@pytest.mark.parametrize(
    ("variable", "setting"), list(provisioners.all_settings()), ids=lambda it: it if isinstance(it, str) else ""
)
def test_the_page_documents_the_setting_and_its_default(variable: str, setting: Field[Any]) -> None:
    rows = markdown.rows(markdown.section(OPERATIONS, "## Settings"))
    row = next((row for row in rows if f"`{variable}`" in row[0]), None)
    assert row, f"no row of a table begins with {variable}"
    default = default_text(setting)
    assert f"`{default}`" in row[1] if default else "none" in row[1]
    assert "alias" not in setting.metadata or not setting.metadata["alias"] or setting.metadata["alias"] in row[2]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_documents_no_unknown_setting(page: str) -> None:
    examples = markdown.blocks(page, "python")  # an example of a possible setting
    documented = markdown.text_of(page)
    for example in examples:
        documented = documented.replace(example.text, "")
    named = {name for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", documented) if not name.endswith(("_TEST_ALL", "_"))}
    settings = {variable for variable, _ in provisioners.all_settings()}
    lease = Lease("cluster-01", "", {"labels": {"gpu": "yes"}})
    of_the_client = {client_settings.SERVER, client_settings.JOB, client_settings.BUILD, client_settings.NAME}
    of_the_client |= {client_settings.TOKEN_FILE, client_settings.INSECURE_TOKEN}
    assert named <= settings | of_the_client | facts(lease).keys()


def metric_names(app: Flask) -> set[str]:
    """Return the names of our metrics as Prometheus shows them, without the parts of a histogram."""
    families = components_of(app).metrics.registry.collect()
    return {metric_name(family) for family in families if family.name.startswith("cimaster_")}


def test_the_page_documents_every_metric(idle: Flask) -> None:
    names = metric_names(idle)
    assert len(names) > 10
    assert names <= markdown.ticked(OPERATIONS)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_documents_no_unknown_metric(page: str, idle: Flask) -> None:
    named = {re.split(r"[{ ]", name)[0] for name in markdown.ticked(page) if name.startswith("cimaster_")}
    assert named <= metric_names(idle)


def test_the_security_page_shows_the_headers_of_every_answer(idle: Flask) -> None:
    (shown,) = markdown.blocks("docs/security.md", "http")
    answer = idle.test_client().get("/healthz")
    for line in shown.text.splitlines():
        name, _, value = line.partition(": ")
        assert answer.headers[name] == value


def test_the_example_of_a_provisioner_works() -> None:
    (example,) = markdown.blocks(ARCHITECTURE, "python")
    module: dict[str, Any] = {"__name__": "example"}
    exec(compile(example.text, ARCHITECTURE, "exec"), module)
    kind = provisioners.Kind(module["Settings"], module["begin"])
    made = provisioners.Provisioner("cloud", kind, module["Settings"](url="http://127.0.0.1:1"))
    creation = Creation({"id": "c-1", "state": "requested", "user": "john"})
    with pytest.raises(requests.ConnectionError):
        made.begin(creation, Event())
