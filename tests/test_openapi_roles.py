"""openapi.yaml against the service with `auth = required`, for a caller of each role."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from flask import Flask
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation

from cimaster.app import create_app
from cimaster.provisioners import KINDS, Provisioner, command
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.web.identity.roles import Role
from tests.conftest import ADMIN
from tests.required import OUTSIDER, bearer, name_of, required, write_files
from tests.test_openapi import ANSWERED_AS_DESCRIBED, AS_IT_IS, CREATES, OPERATIONS, QUICK, takes_something

# The service's threads draw random pauses, which make hypothesis report a strategy that is not reproducible.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

Operation = APIOperation[Any, Any, Any, Any]
FEW = settings(QUICK, max_examples=3)
JSON = {"Accept": "application/json", **AS_IT_IS}
CALLERS = {name: bearer(name) for name in map(name_of, Role)}
REFUSED = {
    "no role": (bearer(OUTSIDER), 403, "not_allowed"),
    "no credential": ({}, 401, "no_credential"),
    "a bad credential": ({"Authorization": "Bearer guessed"}, 401, "bad_credential"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A service that requires credentials, with some clusters."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "users").write_text(ADMIN)
    made = Provisioner("command", KINDS["command"], command.Settings(program=("sh", "-c", CREATES)))
    chosen = required(Settings(admin_dir=str(folder), port=19999), write_files(folder / "auth"))
    app = create_app(replace(chosen, waiters=0), SQLiteStore(str(folder / "pool.db"), "clusters"), provisioner=made)
    components_of(app).lifecycle.start()
    client = app.test_client()
    for name in ("cluster-05", "cluster-06", "cluster-07"):
        adding = {"cluster": name, "region": "us-west"}
        assert client.post("/addcluster", data=adding, headers=bearer(name_of(Role.ADMIN))).status_code == 200
    yield app
    components_of(app).lifecycle.stop()


@pytest.mark.parametrize("caller", CALLERS)
def test_each_role_is_answered_as_described(served: Flask, caller: str) -> None:
    for operation, mode in described_and_other():
        check(served, operation, mode, CALLERS[caller])


@pytest.mark.parametrize("caller", REFUSED)
def test_other_callers_learn_nothing_from_any_request(served: Flask, caller: str) -> None:
    headers, status, code = REFUSED[caller]
    for operation, mode in described_and_other():
        if operation.tags == ["operation"]:  # health checks and the description are open to all
            check(served, operation, mode, headers)
        else:
            check(served, operation, mode, headers, (status, code))


NO_ROUTE = (404, "not_found")
"""The answer to a path that no endpoint has, as `/clusters/..` becomes one: no credential would change it."""


def described_and_other() -> Iterator[tuple[Operation, GenerationMode]]:
    """Yield each operation once for described requests, and once for others if there can be others."""
    for parameter in OPERATIONS:
        operation = cast(Operation, parameter.values[0])
        yield operation, GenerationMode.POSITIVE
        if takes_something(operation):
            yield operation, GenerationMode.NEGATIVE


def check(
    served: Flask,
    operation: Operation,
    mode: GenerationMode,
    headers: dict[str, str],
    refusal: tuple[int, str] | None = None,
) -> None:
    """Send an operation some requests of a caller; `refusal` is the status and code of all its answers."""

    @FEW
    @given(operation.as_strategy(mode))
    def each(case: Case[Any]) -> None:
        answer = case.call_and_validate(headers={**JSON, **headers}, checks=ANSWERED_AS_DESCRIBED, app=served)
        code = answer.headers.get("cimaster-code", [""])[0]
        assert refusal is None or (answer.status_code, code) in (refusal, NO_ROUTE)

    each()
