"""The alerts: promtool says when each fires, and the page for operators what each means and what to do."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs import markdown
from tests.docs.test_pages import anchors
from tests.monitoring.overlay import ALERTS
from tests.monitoring.programs import promtool, rule_file

PAGE = "docs/operations.md"
HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "alert_cases.yaml").read_text("utf-8"))["tests"]
OF_AN_ALERT = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def series(text: str) -> tuple[str, set[str]]:
    """Return the name of a series and the names of its labels."""
    name, _, labels = text.partition("{")
    return name, set(re.findall(r"(\w+)=", labels))


INPUTS = [series(line["series"]) for case in CASES for line in case["input_series"]]


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    promtool("check", "rules", rule_file(tmp_path))


def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    rule_file(tmp_path)
    shutil.copy(HERE / "alert_cases.yaml", tmp_path)
    promtool("test", "rules", tmp_path / "alert_cases.yaml")


@OF_AN_ALERT
def test_the_alert_is_tried_firing_and_silent(alert: dict[str, Any]) -> None:
    expected = [
        bool(expectation["exp_alerts"])
        for case in CASES
        for expectation in case["alert_rule_test"]
        if expectation["alertname"] == alert["alert"]
    ]
    assert set(expected) == {True, False}


@OF_AN_ALERT
def test_the_alert_leads_to_its_paragraph(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook_url"} == set(alert["annotations"])
    address, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert address.endswith(f"/{PAGE}")
    assert anchor in anchors(markdown.text_of(PAGE))
    means, do = markdown.section(PAGE, f"### {alert['alert']}").strip().split("\n\n")
    assert means
    assert do.startswith("What to do: ")


def test_the_page_has_no_other_alerts() -> None:
    described = re.findall(r"^### (\w+)$", markdown.section(PAGE, "## Alerts"), re.MULTILINE)
    assert described == [alert["alert"] for alert in ALERTS]
