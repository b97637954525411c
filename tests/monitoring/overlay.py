"""What k8s/overlays/monitoring contains: the alerts with their expressions, and the board with its queries."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

OVERLAY = Path(__file__).parents[2] / "k8s" / "overlays" / "monitoring"
BOARD: dict[str, Any] = json.loads((OVERLAY / "dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]
RULES: dict[str, Any] = yaml.safe_load((OVERLAY / "prometheusrule.yaml").read_text("utf-8"))["spec"]
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]

# Metrics that are still being built. When a name exists, remove it here: a test says so.
TO_COME: set[str] = set()

_METRIC = re.compile(r"\b(?:cimaster|flask|process|python)_\w+")
_CHOSEN = {"$namespace": "ci", "$purpose": ".+", "$__rate_interval": "10s"}


@dataclass(frozen=True)
class Query:
    """A query of the board, as Grafana would send it, with the panel that shows it."""

    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.panel}: {self.expression}"


def queries() -> list[Query]:
    """Return the queries of the board, with the namespace `ci` and all purposes chosen."""
    return [Query(panel["title"], chosen(target["expr"])) for panel in PANELS for target in panel["targets"]]


def chosen(query: str) -> str:
    """Return a query with the board's variables replaced."""
    for variable, value in _CHOSEN.items():
        query = query.replace(variable, value)
    return query


def metrics(expression: str) -> set[str]:
    """Return the names of the metrics in an expression, but for those that Prometheus itself makes."""
    return set(_METRIC.findall(expression))
