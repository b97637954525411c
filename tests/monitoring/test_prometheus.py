"""A real Prometheus scrapes a real replica: it has data for every query of the board, and evaluates every rule."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.conditions import until
from tests.monitoring import overlay
from tests.monitoring.overlay import ALERTS, TO_COME, VARIABLES, Query
from tests.monitoring.programs import Prometheus, program
from tests.monitoring.test_alerts import INPUTS
from tests.replica import Replica

pytestmark = pytest.mark.slow

TARGET_LABELS = {"namespace", "pod", "job"}  # what Prometheus adds
CHANNEL = "[hook]\nkind = webhook\nurl = http://127.0.0.1:9/\nsecret_file = {}/secret\n"
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}


def use(replica: Replica) -> None:
    """Do what makes every metric have a value: a take, a clean, a failed creation and its notice, a wrong call."""
    steps = [
        ("/addcluster", {"cluster": "cluster-01", "region": "r", "name": "root"}),
        ("/setpurpose", {"purpose": "tess-ci", "clean": "wipe", "name": "root"}),
        ("/getvacant", {"job": "e2e", "build": "1"}),
        ("/finishtest", {"cluster": "cluster-01", "job": "e2e", "build": "1"}),
        ("/createcluster", {"user": "alice"}),
    ]
    for path, parameters in steps:
        answer = replica.get(path, **parameters)
        assert answer.ok, answer.text
    until(lambda: replica.get("/getvacant", job="e2e", build="2").ok)  # after the clean
    assert replica.get("/holdcluster", cluster="any", name="alice", wait="2d").status_code == 202
    until(lambda: "cimaster_notices_total{" in requests.get(replica.metrics_url, timeout=10).text)
    assert replica.get("/getvacant", job="e2e", build="3", invented="1").status_code == 400


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica that was used."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("served")
    (folder / "checks.ini").write_text("[wipe]\nkind = command\nprogram = true\n")
    (folder / "secret").write_text("a key")
    (folder / "notices.ini").write_text(CHANNEL.format(folder))
    environment: dict[str, Any] = {
        "CIMASTER_STORE": f"sqlite:{folder / 'pool.db'}",
        "CIMASTER_CHECKS_FILE": str(folder / "checks.ini"),
        "CIMASTER_NOTICES_FILE": str(folder / "notices.ini"),
        "CIMASTER_PROVISIONER": "command",
        "CIMASTER_COMMAND_PROGRAM": "false",
    }
    with Replica(folder, **environment) as replica:
        use(replica)
        yield replica


@pytest.fixture(scope="module")
def prometheus(replica: Replica, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes that replica."""
    with Prometheus(tmp_path_factory.mktemp("prometheus"), urlsplit(replica.metrics_url).netloc) as running:
        yield running


@pytest.fixture(scope="module")
def exported(replica: Replica) -> dict[str, set[str]]:
    """The names of all metrics of the service, each with the names of its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(requests.get(replica.metrics_url, timeout=10).text):
        for suffix in SUFFIXES.get(family.type, [""]):
            found[family.name + suffix] = set()
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


@pytest.mark.parametrize("query", overlay.queries(), ids=str)
def test_the_board_has_data_for_its_query(prometheus: Prometheus, query: Query) -> None:
    assert isinstance(prometheus.query(query.expression), list)
    if not overlay.metrics(query.expression) & TO_COME:
        until(lambda: prometheus.query(query.expression))


@pytest.mark.parametrize("variable", VARIABLES[1:], ids=lambda variable: variable["name"])
def test_the_board_offers_values_for_its_variable(prometheus: Prometheus, variable: dict[str, str]) -> None:
    words = re.fullmatch(r"label_values\((.+), (\w+)\)", overlay.chosen(variable["definition"]))
    assert words, variable["definition"]
    series, label = words.groups()
    assert label == variable["name"]
    expected = {"namespace": ["ci"], "purpose": ["tess-ci"]}[label]
    until(lambda: prometheus.get(f"label/{label}/values", **{"match[]": series}) == expected)


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    def states() -> dict[str, str]:
        groups = prometheus.get("rules")["groups"]
        return {rule["name"]: rule["health"] + rule.get("lastError", "") for group in groups for rule in group["rules"]}

    until(lambda: "unknown" not in states().values())
    assert states() == {alert["alert"]: "ok" for alert in ALERTS}


def test_every_metric_is_exported(exported: dict[str, set[str]]) -> None:
    expressions = [query.expression for query in overlay.queries()] + [alert["expr"] for alert in ALERTS]
    named = set().union(*map(overlay.metrics, expressions))
    assert named - TO_COME <= exported.keys()
    assert named >= TO_COME


def test_metrics_to_come_are_not_exported(exported: dict[str, set[str]]) -> None:
    assert not TO_COME & exported.keys(), "remove these names from TO_COME in tests/monitoring/overlay.py"


def test_alerts_are_tried_with_labels_that_the_service_has(exported: dict[str, set[str]]) -> None:
    for name, labels in INPUTS:
        assert name == "up" or name in TO_COME or labels - TARGET_LABELS <= exported[name], (name, labels)
