"""The README describes all settings, parameters, answers and metrics of the manual-trigger service, and no others."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cimaster.common.settings import default_text
from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.parameters import PARAMETERS
from cimaster.manual_trigger.settings import TriggerSettings
from tests.manual_trigger.conftest import Caller
from tests.manual_trigger.test_refusals import all_refusals

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SECTION = README.partition("## Clusters made by Prow")[2].partition("\n## ")[0]
TICKED = set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", SECTION, flags=re.DOTALL | re.MULTILINE)))
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("setting", fields(TriggerSettings), ids=lambda setting: setting.name)
def test_the_readme_tells_of_the_setting_and_its_default(setting) -> None:
    name = f"`{TriggerSettings.prefix}{setting.name.upper()}`"
    row = next((row for row in ROWS if row[0] == name), None)
    assert row, f"no row of a table begins with {name}"
    default = default_text(setting)
    assert f"`{default}`" in row[1] if default else "none" in row[1]
    assert setting.metadata["meaning"]


def test_the_readme_tells_of_no_setting_that_there_is_not() -> None:
    named = set(re.findall(rf"\b{TriggerSettings.prefix}[A-Z_]+\b", README))
    assert named == {TriggerSettings.prefix + setting.name.upper() for setting in fields(TriggerSettings)}


def test_the_manifests_use_settings_that_there_are() -> None:
    text = (ROOT / "k8s" / "manual-trigger" / "deployment.yaml").read_text("utf-8")
    names = {TriggerSettings.prefix + setting.name.upper() for setting in fields(TriggerSettings)}
    assert set(re.findall(rf"\b{TriggerSettings.prefix}[A-Z_]+\b", text)) <= names
    for setting in ("token_file", "allow_file"):
        folder = str(Path(getattr(TriggerSettings, setting)).parent)
        assert f"mountPath: {folder}\n" in text


def test_the_readme_tells_of_every_parameter_and_which_are_required() -> None:
    cells = [row[0] for row in ROWS]
    for parameter in PARAMETERS:
        told = f"**`{parameter.name}`**" if parameter.required else f"`{parameter.name}`"
        assert any(told in cell and (parameter.required or f"**{told}**" not in cell) for cell in cells), parameter.name


def test_the_readme_tells_of_every_route(alone: Caller) -> None:
    for rule in alone.client.application.url_map.iter_rules():
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        for method in methods:
            assert f"{method} {rule.rule}" in TICKED


def test_the_readme_tells_of_every_refusal_and_its_status() -> None:
    for refusal in all_refusals():
        row = next((row for row in ROWS if f"`{refusal.code}`" in row[0]), None)
        assert row, refusal.code
        assert str(refusal.status) in row[1], refusal.code


def test_the_readme_tells_of_every_metric_and_of_no_other(alone: Caller) -> None:
    registry = components_of(alone.client.application).metrics.registry
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
        if family.name.startswith("manual_trigger_")
    }
    assert {name for name in TICKED if name.startswith("manual_trigger_")} == names
