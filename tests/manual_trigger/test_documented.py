"""docs/manual-trigger.md documents every setting, parameter, answer and metric of the service, and no others."""

import json
import os
import re
import subprocess
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from cimaster.common.settings import default_text
from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.parameters import PARAMETERS
from cimaster.manual_trigger.settings import TriggerSettings
from tests.docs import markdown
from tests.docs.commands import TRIGGER, commands
from tests.manual_trigger.conftest import Caller
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank
from tests.manual_trigger.process import TOKEN, ManualTrigger
from tests.manual_trigger.test_refusals import all_refusals

ROOT = Path(__file__).parent.parent.parent
PAGE = "docs/manual-trigger.md"
TICKED = markdown.ticked(PAGE)
SETTINGS = markdown.rows(markdown.section(PAGE, "## Settings"))


@pytest.mark.parametrize("setting", fields(TriggerSettings), ids=lambda setting: setting.name)
def test_the_page_documents_the_setting_and_its_default(setting: Field[Any]) -> None:
    name = f"`{TriggerSettings.prefix}{setting.name.upper()}`"
    row = next((row for row in SETTINGS if row[0] == name), None)
    assert row, f"no row of a table begins with {name}"
    default = default_text(setting)
    assert f"`{default}`" in row[1] if default else "none" in row[1]
    assert setting.metadata["meaning"]


def test_the_page_documents_no_unknown_setting() -> None:
    pages = "\n".join(map(markdown.text_of, markdown.PAGES))
    named = set(re.findall(rf"\b{TriggerSettings.prefix}[A-Z_]+\b", pages))
    assert named == {TriggerSettings.prefix + setting.name.upper() for setting in fields(TriggerSettings)}


def test_the_manifests_use_known_settings() -> None:
    text = (ROOT / "k8s" / "manual-trigger" / "deployment.yaml").read_text("utf-8")
    names = {TriggerSettings.prefix + setting.name.upper() for setting in fields(TriggerSettings)}
    assert set(re.findall(rf"\b{TriggerSettings.prefix}[A-Z_]+\b", text)) <= names
    for setting in ("token_file", "allow_file"):
        folder = str(Path(getattr(TriggerSettings, setting)).parent)
        assert f"mountPath: {folder}\n" in text


def test_the_page_documents_every_parameter_and_which_are_required() -> None:
    cells = [row[0] for row in markdown.rows(markdown.section(PAGE, "## Parameters"))]
    for parameter in PARAMETERS:
        documented = f"**`{parameter.name}`**" if parameter.required else f"`{parameter.name}`"
        assert any(documented in cell and (parameter.required or f"**{documented}**" not in cell) for cell in cells), (
            parameter.name
        )


def test_the_page_documents_every_route(alone: Caller) -> None:
    for rule in alone.client.application.url_map.iter_rules():
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        for method in methods:
            assert f"{method} {rule.rule}" in TICKED


def test_the_page_documents_every_refusal_and_its_status() -> None:
    for refusal in all_refusals():
        rows = markdown.rows(markdown.section(PAGE, "## Refusals"))
        row = next((row for row in rows if f"`{refusal.code}`" in row[0]), None)
        assert row, refusal.code
        assert str(refusal.status) in row[1], refusal.code


def test_the_page_documents_every_metric_and_no_other(alone: Caller) -> None:
    registry = components_of(alone.client.application).metrics.registry
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
        if family.name.startswith("manual_trigger_")
    }
    assert {name for name in TICKED if name.startswith("manual_trigger_")} == names


def test_the_page_has_advice_on_every_refusal() -> None:
    advice = {code for row in markdown.rows(markdown.section(PAGE, "## Refusals")) if len(row) == 2 for code in row[:1]}
    documented = {code for codes in advice for code in re.findall(r"`(\w+)`", codes)}
    assert documented == {refusal.code for refusal in all_refusals()}


def test_the_command_of_the_page_starts_a_job(
    deck: Deck, kubeconfig: Path, namespace: str, plank: Plank, tmp_path: Path
) -> None:
    (command,) = commands(PAGE, TRIGGER)
    (shown,) = markdown.blocks(PAGE, "json")
    with ManualTrigger(tmp_path, deck.url, kubeconfig, MANUAL_TRIGGER_NAMESPACE=namespace) as process:
        script = command.replace(f"http://manual-trigger:{TriggerSettings.port}", process.url)
        environment = {**os.environ, "TOKEN": TOKEN}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, check=True
        )
    answer = json.loads(done.stdout)
    assert answer["success"]
    assert answer.keys() == json.loads(shown.text).keys()
