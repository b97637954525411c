"""openapi.yaml against the running service: the service behaves as described."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
import yaml
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cimaster.app import create_app
from cimaster.common.texts import printable
from cimaster.provisioners import KINDS, Provisioner, command
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conftest import ADMIN

# The service's threads draw random pauses, which make hypothesis report a strategy that is not reproducible.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

TEXT = (Path(__file__).parent.parent / "cimaster" / "openapi.yaml").read_text("utf-8")
SCHEMA = schemathesis.openapi.from_dict(yaml.safe_load(TEXT))
CREATES = """echo '{"cluster": "'made-$CREATION'", "region": "us-west"}'"""


def described() -> Iterator[APIOperation[Any, Any, Any, Any]]:
    for result in SCHEMA.get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


OPERATIONS = [pytest.param(found, id=found.label) for found in described()]
ANSWERED_AS_DESCRIBED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
AS_IT_IS = {"Accept-Encoding": "identity"}  # schemathesis accepts compressed answers, but does not decompress them
QUICK = settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def takes_something(operation: APIOperation[Any, Any, Any, Any]) -> bool:
    """Say whether a request can be malformed; in a path any name is allowed."""
    elsewhere = [parameter for parameter in operation.iter_parameters() if parameter.location.value != "path"]
    return operation.tags != ["operation"] and bool(elsewhere or operation.body)


def is_tidied_up(case: Case[Any]) -> bool:
    """Say whether the service normalizes a value: it trims texts, and reads null as not sent."""

    def texts(value: object) -> Iterator[str]:
        if isinstance(value, Mapping | list):
            for one in value.values() if isinstance(value, Mapping) else value:
                yield from texts(one)
        elif value is None or isinstance(value, str):
            yield value or ""

    return any(
        not text or printable(text) != text for part in (case.query, case.headers, case.body) for text in texts(part)
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A service over SQLite with some clusters, one of them broken."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "users").write_text(ADMIN)
    made = Provisioner("command", KINDS["command"], command.Settings(program=("sh", "-c", CREATES)))
    settings = Settings(admin_dir=str(folder), port=19999)
    app = create_app(settings, SQLiteStore(str(folder / "pool.db"), "clusters"), provisioner=made)
    components_of(app).lifecycle.start()
    client = app.test_client()
    for name in ("cluster-05", "cluster-06", "cluster-07"):
        client.get("/addcluster", query_string={"cluster": name, "region": "us-west", "name": ADMIN})
    yield app
    components_of(app).lifecycle.stop()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_described_requests_are_answered_as_described(
    served: Flask, operation: APIOperation[Any, Any, Any, Any], accept: str
) -> None:
    @QUICK
    @given(operation.as_strategy())
    def check(case: Case[Any]) -> None:
        case.call_and_validate(headers={"Accept": accept, **AS_IT_IS}, checks=ANSWERED_AS_DESCRIBED, app=served)

    check()


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if takes_something(cast("APIOperation[Any, Any, Any, Any]", one.values[0]))]
)
def test_other_requests_are_refused(served: Flask, operation: APIOperation[Any, Any, Any, Any]) -> None:
    @QUICK
    @given(operation.as_strategy(GenerationMode.NEGATIVE))
    def check(case: Case[Any]) -> None:
        checks = [*ANSWERED_AS_DESCRIBED, *([] if is_tidied_up(case) else [negative_data_rejection])]
        case.call_and_validate(headers={"Accept": "application/json", **AS_IT_IS}, checks=checks, app=served)

    check()
