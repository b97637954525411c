"""YAML is read by the core schema of version 1.2, and documents that are too large are refused."""

import time

import pytest
import yaml

from cimaster.common import yaml_core_schema
from tests.manual_trigger.deck import SAMPLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("OFF", "OFF"),
        ("y", "y"),
        ("N", "N"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1.32", 1.32),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("1:30", "1:30"),
        ("1.2.3", "1.2.3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ('"1.32"', "1.32"),
        ("'yes'", "yes"),
        ("2h0m0s", "2h0m0s"),
        ("=", "="),
        ("!!str 5", "5"),
    ],
)
def test_a_scalar_is_what_the_core_schema_says(text: str, value: object) -> None:
    read = yaml_core_schema.read(f"key: {text}\n".encode())["key"]
    assert read == value
    assert type(read) is type(value)


def test_what_deck_writes_reads_the_same_by_either_rules() -> None:
    assert yaml_core_schema.read(SAMPLE) == yaml.safe_load(SAMPLE)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tx", "!!python/name:os.system x", "!!binary aGk="])
def test_other_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not valid YAML"):
        yaml_core_schema.read(text.encode())


LAUGHS = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def test_an_alias_bomb_is_refused_immediately() -> None:
    assert len(LAUGHS) < 500
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"line 2, column 8\): the alias \*a is not followed: write out the content"):
        yaml_core_schema.read(LAUGHS.encode())
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &a [*a]", r"column 8\): the alias \*a"),
        ("a: &a {x: 1}\nb: {<<: *a}", r"line 2, column 9\): the alias \*a"),
        ("a: &a 1\n*a : 2", r"line 2, column 1\): the alias \*a"),
        ("[" * 500, "it is nested more than 100 levels deep"),
        ("{a: " * 500, "it is nested more than 100 levels deep"),
        ("? " * 1000 + "a", "it is nested more than 100 levels deep"),
        ("- " * 1000 + "a", "it is nested more than 100 levels deep"),
        ("? [a]\n: b", "a key of this mapping is a list or a mapping"),
        ("a: " + "9" * 5000, "a number of 5000 digits"),
        ("!!int x", "with the tag"),
        ("!mine {a: 1}", "the tag !mine is not supported"),
    ],
)
def test_too_large_or_unsupported_yaml_is_refused_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        yaml_core_schema.read(text.encode())


def test_values_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_core_schema, "MOST_VALUES", 7)
    assert yaml_core_schema.read(b"{a: [1, 2], b: {}}") == {"a": [1, 2], "b": {}}
    with pytest.raises(ValueError, match=r"line 1, column 17\): it has more than 7 values"):
        yaml_core_schema.read(b"{a: [1, 2], b: [3]}")
    with pytest.raises(ValueError, match=r"line 2, column 5\): it has more than 7 values"):
        list(yaml_core_schema.documents(b"--- {a: [1, 2], b: {}}\n--- 1"))


def test_anchors_without_aliases_are_allowed() -> None:
    assert yaml_core_schema.read(b"a: &a [1, &b 2]\nb: &c x") == {"a": [1, 2], "b": "x"}


@pytest.mark.parametrize(
    ("text", "values"), [("", []), ("# nothing\n", []), ("a", ["a"]), ("---\na: 1\n---\n- b\n...\n", [{"a": 1}, ["b"]])]
)
def test_a_file_may_hold_several_documents(text: str, values: list[object]) -> None:
    assert list(yaml_core_schema.documents(text.encode())) == values
    assert yaml_core_schema.read(text.encode()) == (values[0] if values else None)


@pytest.mark.parametrize("text", ["!!int 5", '!!int "5"', "!!float 5", "!!bool true", "!!null ''", "! 5", "!!seq [1]"])
def test_tags_of_the_core_schema_are_read(text: str) -> None:
    assert yaml_core_schema.read(text.encode()) == yaml.safe_load(text.replace("! 5", "'5'"))
