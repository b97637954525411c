"""The manifests of the overlay fit together and to those of k8s/, and the API server accepts them.

data/ has the CustomResourceDefinitions of the Prometheus Operator 0.85.0, unchanged (Apache License 2.0).
"""

from pathlib import Path
from typing import Any

import yaml

from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS, built
from tests.monitoring.overlay import BOARD, OVERLAY, PANELS

DEFINITIONS = sorted((Path(__file__).parent / "data").glob("*.yaml"))


def manifest(kind: str, folder: Path = OVERLAY) -> dict[str, Any]:
    """Return the only manifest of a kind."""
    [found] = [each for each in built(folder) if each["kind"] == kind]
    return found


def define_kinds(control_plane: ControlPlane) -> None:
    """Install the kinds of the Prometheus Operator."""
    for path in DEFINITIONS:
        control_plane.define(yaml.safe_load(path.read_text("utf-8")))


def test_the_api_server_accepts_the_overlay_unchanged(control_plane: ControlPlane) -> None:
    define_kinds(control_plane)
    namespace = control_plane.namespace()
    control_plane.apply(namespace)
    control_plane.apply(namespace, "overlays/monitoring")


def test_the_monitor_scrapes_the_metrics_port_of_the_pods() -> None:
    pod = manifest("Deployment", MANIFESTS)["spec"]["template"]
    service, monitor = manifest("Service"), manifest("ServiceMonitor")["spec"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    [port] = service["spec"]["ports"]
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    assert port["port"] == ports[port["targetPort"]]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert (
        not monitor["selector"]["matchLabels"].items() <= manifest("Service", MANIFESTS)["metadata"]["labels"].items()
    )
    [endpoint] = monitor["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "cimaster"  # what the rules select


def test_grafana_finds_the_board_by_its_label() -> None:
    assert manifest("ConfigMap")["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_all_is_in_one_namespace() -> None:
    namespaces = {yaml.safe_load((f / "kustomization.yaml").read_text())["namespace"] for f in (MANIFESTS, OVERLAY)}
    assert len(namespaces) == 1


def test_the_panels_of_the_board_have_room() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cells.setdefault(cell, panel["title"]) == panel["title"], f"panels overlap: {panel['title']}"


def test_each_panel_has_a_title_and_a_description_of_its_own() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"].endswith((".", "?")) for panel in PANELS)


def test_every_query_goes_to_the_chosen_data_source_and_namespace() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            assert target["expr"].count("{") == target["expr"].count('{namespace="$namespace"')
