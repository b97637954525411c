"""YAML by the core schema of version 1.2."""

import pytest
import yaml

from cimaster.manual_trigger import yamltext
from tests.manual_trigger.deck import SAMPLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("OFF", "OFF"), ("y", "y"), ("N", "N"),
        ("true", True), ("False", False), ("TRUE", True), ("tRue", "tRue"),
        ("null", None), ("~", None), ("", None), ("nULL", "nULL"),
        ("012", 12), ("0o17", 15), ("0x1F", 31), ("-7", -7), ("+7", 7), ("1_000", "1_000"), ("0b11", "0b11"),
        ("1.32", 1.32), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1:30", "1:30"), ("1.2.3", "1.2.3"),
        (".inf", ".inf"), (".nan", ".nan"),
        ("2026-01-02", "2026-01-02"), ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ('"1.32"', "1.32"), ("'yes'", "yes"), ("2h0m0s", "2h0m0s"), ("=", "="), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_the_core_schema_says(text: str, value: object) -> None:
    read = yamltext.read(f"key: {text}\n".encode())["key"]
    assert read == value
    assert type(read) is type(value)


def test_what_deck_writes_reads_the_same_by_either_rules() -> None:
    assert yamltext.read(SAMPLE) == yaml.safe_load(SAMPLE)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tx", "!!python/name:os.system x", "!!binary aGk="])
def test_what_is_no_such_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not valid YAML"):
        yamltext.read(text.encode())
