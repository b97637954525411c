"""Replicas as real processes that share one store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import empty_config_map
from tests.replica import Replica

Start = Callable[..., Replica]
ONE_STORE = pytest.mark.parametrize("environment", ["sqlite"], indirect=True)  # for what does not depend on its kind


@pytest.fixture(params=["sqlite", pytest.param("kubernetes", marks=pytest.mark.kube)])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings of a replica over an empty store of either kind."""
    if request.param == "sqlite":
        return {"CIMASTER_STORE": f"sqlite:{tmp_path / 'pool.db'}"}
    namespace = request.getfixturevalue("kube_access")
    empty_config_map(request.getfixturevalue("control_plane"), namespace)
    return {"CIMASTER_STORE": "kubernetes", "CIMASTER_NAMESPACE": namespace}


@pytest.fixture
def start(environment: dict[str, Any], tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts replicas over one store; they are stopped after the test."""
    with ExitStack() as stack:
        yield lambda name="a", application="wsgi:app": stack.enter_context(
            Replica(tmp_path, name, arguments=("python:cimaster.gunicorn_conf", application), **environment)
        )


def fill(replica: Replica, count: int) -> None:
    """Add a number of clusters."""
    for number in range(count):
        answer = replica.get("/addcluster", cluster=f"cluster-{number:03}", region="r", name="root")
        assert answer.ok, answer.text


def records(replica: Replica) -> dict[str, dict[str, Any]]:
    """Return the clusters by name."""
    answer = requests.get(f"{replica.url}/clusters", headers={"Accept": "application/json"}, timeout=60)
    return {record["name"]: record for record in answer.json()["clusters"]}
