"""The commands that list: each filter of the service is an option, and usage is written as CSV for a file."""

import csv
import io
from typing import Any

import pytest

from cimaster.cli.program import program
from cimaster.web import endpoints
from cimaster.web.endpoints import Endpoint
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("command", "endpoint"),
    [
        ("list", endpoints.CLUSTERS),
        ("history", endpoints.HISTORY),
        ("usage", endpoints.USAGE),
        ("creations", endpoints.CREATIONS),
        ("policies", endpoints.POLICIES),
    ],
)
def test_each_filter_of_the_service_is_an_option(command: str, endpoint: Endpoint[Any]) -> None:
    options = {option.human_readable_name for option in program.commands[command].params}
    paging = {"after"} if endpoint is endpoints.HISTORY else set()
    assert {parameter.name for parameter in endpoint.parameters} - paging - {"format"} <= options
    assert ("format" in {parameter.name for parameter in endpoint.parameters}) == ("form" in options)


@pytest.mark.slow
def test_usage_is_written_as_csv(run: Run) -> None:
    run("take", "--job", "e2e", "--build", "7")
    printed = run("usage", "--by", "job", "--format", "csv").stdout
    assert [row["job"] for row in csv.DictReader(io.StringIO(printed))] == ["e2e"]
    assert "\r" not in printed


@pytest.mark.slow
def test_clusters_are_listed_by_their_health(run: Run) -> None:
    run("health", "cluster-01", "suspect", "--reason", "disk errors")
    assert run("list", "--health", "suspect", "-o", "name").stdout == "cluster-01\n"
    assert run("list", "--health", "ok", "-o", "name").stdout == ""
