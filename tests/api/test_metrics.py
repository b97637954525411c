"""The metrics: every label has values from a closed set, whatever callers send and the data contain."""

import json

from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest

from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.import_export import importing
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import Add

READINESS_WHILE_DRAINING = {"threads": 1.0, "store_tried": 1.0, "accepting": 0.0}


def scraped(app: Flask) -> str:
    """Return the metrics as a scrape gets them."""
    return generate_latest(components_of(app).metrics.registry).decode()


def test_invented_methods_are_refused_and_make_no_series(app: Flask, client: FlaskClient) -> None:
    for path in ("/getvacant", "/clusters/cluster-01", "/nowhere", "/", "/ui/hold", "/healthz"):
        for method in ("PROPFIND1", "PUT", "DELETE", "M-SEARCH"):
            answer = client.open(path, method=method)
            assert (answer.status_code, answer.headers["CIMaster-Code"]) == (405, "method_not_allowed")
            assert answer.headers["Allow"]
        client.get(path)
        client.open(path, method="OPTIONS")
    seen = scraped(app)
    assert 'method="GET"' in seen
    assert 'method="OPTIONS"' in seen
    for method in ("PROPFIND1", "PUT", "DELETE", "M-SEARCH"):
        assert f'"{method}"' not in seen


def test_invented_paths_and_parameters_make_no_series(app: Flask, client: FlaskClient) -> None:
    for number in range(3):
        client.get(f"/nowhere-{number}")
        client.get(f"/getvacant?invented-{number}=1")
        client.get(f"/clusters/invented-{number}")
        client.get(f"/getvacant?build=1&job=invented-{number}&purpose=invented-{number}")
    assert "invented" not in scraped(app)
    assert "nowhere" not in scraped(app)


def test_purposes_are_those_of_the_inventory_and_not_too_many(
    app: Flask, client: FlaskClient, repository: ConfigMapRepository, settings: Settings
) -> None:
    records = [
        {"name": f"c-{purpose}-{number}", "status": "finished", "purpose": f"purpose-{purpose}"}
        for purpose in range(70)
        for number in range(2 if purpose < 50 else 1)
    ]
    repository.update(importing(data_of(json.dumps(records)), settings, replace=False))
    lines = [line for line in scraped(app).splitlines() if line.startswith("cimaster_clusters{")]
    assert len(lines) == 51
    assert 'cimaster_clusters{purpose="other",state="vacant"} 20.0' in lines
    assert 'cimaster_clusters{purpose="purpose-49",state="vacant"} 2.0' in lines


def test_a_purpose_without_a_vacant_cluster_shows_none(app: Flask, client: FlaskClient, add: Add) -> None:
    add("c-1")
    assert client.get("/getvacant?build=1&job=e2e").status_code == 200
    lines = [line for line in scraped(app).splitlines() if line.startswith("cimaster_clusters{")]
    assert 'cimaster_clusters{purpose="tess-ci",state="occupied"} 1.0' in lines
    assert 'cimaster_clusters{purpose="tess-ci",state="vacant"} 0.0' in lines


def test_each_condition_of_readiness_has_a_series(app: Flask, repository: ConfigMapRepository) -> None:
    until(lambda: repository.tried)
    assert 'cimaster_ready{check="threads"} 1.0' in scraped(app)
    components_of(app).lifecycle.draining = lambda: True
    met = {line for line in scraped(app).splitlines() if line.startswith("cimaster_ready{")}
    assert met == {f'cimaster_ready{{check="{name}"}} {value}' for name, value in READINESS_WHILE_DRAINING.items()}


def test_with_open_mode_the_list_of_admins_is_the_only_file(app: Flask) -> None:
    lines = [line for line in scraped(app).splitlines() if line.startswith("cimaster_file_usable{")]
    assert lines == ['cimaster_file_usable{file="admins"} 1.0']


def test_events_written_by_hand_make_few_series() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.count_commit(1, 0.1, ["taken", "lease ended"])
    metrics.count_commit(1, 0.1, [f"event {number}" for number in range(500)])
    metrics.count_commit(1, 0.1, ["taken"])
    lines = [line for line in generate_latest(metrics.registry).decode().splitlines() if "changes_total{" in line]
    assert len(lines) == 61
    assert 'cimaster_changes_total{event="taken"} 2.0' in lines
