"""`make sbom`: a valid bill of materials, the same for the same checkout, of all that ships and nothing else."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.supply.bill import bill
from tests.supply.shipped import LOCK, ROOT, locked, ourselves, packages, vendored

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEV_LOCK = ROOT / "requirements-dev.lock"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The bill of materials of this checkout."""
    read: dict[str, Any] = json.loads(bill(AT))
    return read


def schema(name: str) -> Any:
    """Return a schema of CycloneDX, as its own library ships it."""
    return json.loads((files("cyclonedx.schema._res") / name).read_text("utf-8"))


def validator() -> jsonschema_rs.Validator:
    """Return what checks a bill by the published schema of its format."""
    names = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    parts = [(f"http://cyclonedx.org/schema/{name}", schema(name)) for name in names]
    registry = jsonschema_rs.Registry(parts)
    return jsonschema_rs.validator_for(schema("bom-1.6.SNAPSHOT.schema.json"), registry=registry)


def test_it_is_valid_by_the_schema_of_the_format(made: dict[str, Any]) -> None:
    check = validator()
    assert [error.message for error in check.iter_errors(made)] == []
    made_wrong = {**made, "components": [{"name": "without a type"}]}
    assert not check.is_valid(made_wrong)


def test_the_same_checkout_gives_the_same_bytes() -> None:
    script = "from tests.supply.test_bill import AT, bill; print(bill(AT), end='')"
    command = [sys.executable, "-c", script]
    other = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout  # another hash seed
    assert other == bill(AT)


def test_it_lists_the_packages_of_the_image_and_vendored_files(made: dict[str, Any]) -> None:
    listed = {each["name"]: each["version"] for each in made["components"]}
    assert listed == {**locked(), **{part.name: part.version for part in vendored()}}
    assert made["metadata"]["component"]["name"] == "cimaster"
    assert all(each["licenses"] for each in made["components"])


def test_a_package_for_another_platform_does_not_ship() -> None:
    everywhere = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text("utf-8"), re.MULTILINE))
    assert everywhere - locked().keys() == {"brotlicffi", "cffi", "pycparser"}  # for PyPy


def test_the_two_locks_agree() -> None:
    assert locked().items() <= locked(DEV_LOCK).items()


def test_every_part_is_needed_by_another(made: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in made["dependencies"]}
    reached, new = set[str](), {made["metadata"]["component"]["bom-ref"]}
    while new:
        reached |= new
        new = {part for each in new for part in needs[each]} - reached
    assert reached == needs.keys()
    assert len(ourselves().needs) > 10


def test_vendored_files_come_with_source_and_hash(made: dict[str, Any]) -> None:
    [htmx] = [each for each in made["components"] if each["name"] == "htmx.org"]
    assert htmx["externalReferences"][0]["url"].startswith("https://github.com/")
    hashed = {each["name"]: each["hashes"][0]["content"] for each in htmx["components"]}
    assert hashed == next(vendored()).sha256


def test_the_command_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "build" / "sbom.json"
    command = [sys.executable, "-m", "tests.supply", "sbom", str(file)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    assert len(json.loads(file.read_text("utf-8"))["components"]) == len([*packages(), *vendored()])
