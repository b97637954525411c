"""Editing JSON in place: unedited members keep their bytes, whatever their format."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cimaster.pool.records.json_edit import ObjectText, dump_lines, parse_array, parse_lines
from cimaster.pool.records.json_values import dump

SPACE = st.text(" \t\r\n", max_size=3)
NUMBERS = st.sampled_from(["0", "1.10", "1e400", "1E5", "-0.0", "12345678901234567890123", "1.00000000000000001"])
STRINGS = st.text(max_size=6).map(json.dumps) | st.text(max_size=6).map(lambda s: json.dumps(s, ensure_ascii=False))
ODD_STRINGS = st.sampled_from(['"\\ud83d\\ude00"', '"\\/"', '"\\u0041"', '"\\ud800"', '"☕"', '"\\u0000"', '""'])
NAMES = ["name", "status", "hold", "leaseId", "x", "", "Name", "a b", "größe"]
KEYS = st.sampled_from([form for name in NAMES for form in (json.dumps(name), json.dumps(name, ensure_ascii=False))])
EDITS = st.dictionaries(
    st.sampled_from([*NAMES, "new", "newer"]),
    st.none() | st.booleans() | st.text(max_size=5) | st.just(["a", {}]),
    max_size=5,
)


def edit_object(text: str, edits: dict[str, Any]) -> str:
    """Edit an object and return its text."""
    return str(ObjectText.parse(text).edited(edits))


@st.composite
def written(draw: st.DrawFn, opening: str, parts: st.SearchStrategy[str], closing: str) -> str:
    """Return an array or an object with odd spacing."""
    items = draw(st.lists(st.tuples(SPACE, parts, SPACE).map("".join), max_size=5))
    return opening + (",".join(items) or draw(SPACE)) + closing


@st.composite
def member(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """Return `"key": value` with odd spacing."""
    return draw(KEYS) + draw(SPACE) + ":" + draw(SPACE) + draw(values)


VALUES = st.recursive(
    NUMBERS | STRINGS | ODD_STRINGS | st.sampled_from(["true", "false", "null"]),
    lambda inner: written("[", inner, "]") | written("{", member(inner), "}"),
    max_leaves=6,
)
OBJECTS = written("{", member(VALUES), "}")
MOST = 1.7976931348623157e308
HALVES = re.compile("[\ud800-\udfff]")
ARRAYS = st.tuples(SPACE, written("[", VALUES, "]"), SPACE).map("".join)


def members_of(text: str) -> list[tuple[str, str]]:
    """Return the name and the bytes of each member of an object, found with Python's parser."""
    found, decoder = [], json.JSONDecoder()
    at = text.index("{") + 1
    while text[at:].lstrip()[:1] != "}":
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
        start = at
        name, at = decoder.raw_decode(text, at)
        at = text.index(":", at) + 1
        at += len(text[at:]) - len(text[at:].lstrip())
        _, at = decoder.raw_decode(text, at)
        found.append((name, text[start:at]))
    return found


@given(ARRAYS)
def test_an_array_taken_apart_is_the_same_text_when_joined(text: str) -> None:
    array = parse_array(text)
    assert array.head + "".join(item.gap + item.text for item in array.items) + array.tail == text
    meant = json.loads(text, parse_float=lambda digits: min(float(digits), MOST))
    assert [item.value for item in array.items] == json.loads(
        HALVES.sub("\ufffd", json.dumps(meant, ensure_ascii=False))
    )
    assert [json.loads(item.text) for item in array.items] == json.loads(text)
    assert all(item.text == item.text.strip() for item in array.items)


@given(OBJECTS, EDITS)
def test_unedited_members_keep_their_bytes_and_order(text: str, edits: dict[str, Any]) -> None:
    before = [part for part in members_of(text) if part[0] not in edits]
    after = [part for part in members_of(edit_object(text, edits)) if part[0] not in edits]
    assert after == before


@given(OBJECTS)
def test_an_edit_of_nothing_changes_nothing(text: str) -> None:
    assert edit_object(text, {}) == text or not members_of(text)


@example('{"hold": true, "hold": false}', {"hold": None})
@given(OBJECTS, EDITS)
def test_an_edited_object_has_the_edited_values(text: str, edits: dict[str, Any]) -> None:
    meant = {
        key: value for key, value in {**json.loads(text), **edits}.items() if key not in edits or value is not None
    }
    assert json.loads(edit_object(text, edits)) == meant


@example('{"hold": true, "hold": false}', {"hold": None})
@given(OBJECTS, EDITS)
def test_edits_are_idempotent(text: str, edits: dict[str, Any]) -> None:
    once = edit_object(text, edits)
    assert edit_object(once, edits) == once


def test_added_members_are_spaced_like_the_others() -> None:
    assert edit_object('{"a": 1, "b": 2}', {"c": "x"}) == '{"a": 1, "b": 2, "c": "x"}'
    assert edit_object('{"a":1,"b":2}', {"c": "x"}) == '{"a":1,"b":2,"c":"x"}'
    assert edit_object('{\n  "a": 1,\n  "b": 2\n}', {"c": True}) == '{\n  "a": 1,\n  "b": 2,\n  "c": true\n}'


def test_removed_members_leave_no_gap() -> None:
    assert edit_object('{"a": 1, "b": 2, "c": 3}', {"b": None}) == '{"a": 1, "c": 3}'
    assert edit_object('{"a": 1, "b": 2}', {"a": None}) == '{"b": 2}'
    assert edit_object('{"a": 1}', {"a": None, "b": 2}) == '{"b": 2}'
    assert json.loads(edit_object('{ "a": 1 }', {"a": None})) == {}


@pytest.mark.parametrize("text", ['{"hold": true, "hold": false}', '{"hold": true, "x": 1, "hold": "y"}'])
def test_removing_a_duplicate_key_removes_all_its_members(text: str) -> None:
    assert "hold" not in json.loads(edit_object(text, {"hold": None}))


def test_the_last_member_of_a_duplicate_key_counts() -> None:
    assert json.loads(edit_object('{"a": 1, "a": 2}', {"a": 3}))["a"] == 3


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("[1,]", 1, 4), ("[1 2]", 1, 4), ("[\n{]", 2, 2), ("[1] x", 1, 5), ("[", 1, 2), ("", 1, 1), ("[1,\n2", 2, 2)],
)
def test_a_mistake_is_reported_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(json.JSONDecodeError) as told:
        parse_array(text)
    assert (told.value.lineno, told.value.colno) == (line, column)


@pytest.mark.parametrize(
    ("text", "what"), [("{}", "an object"), ('"a"', "a string"), ("null", "null"), ("true", "true"), ("7", "a number")]
)
def test_a_value_that_is_not_an_array_is_described(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_array(text)


@pytest.mark.parametrize("text", ["[NaN]", "[Infinity]", "[-Infinity]", "[" * 100_000, "[01]"])
def test_invalid_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_array(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for sent in (text, f"[{text}", f"[{text}]"):
        try:
            parse_array(sent)
        except ValueError:
            continue


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_written_values_read_back(value: object) -> None:
    assert json.loads(dump(value)) == value


LISTS_OF_OBJECTS = st.lists(
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3), max_size=6
)


@given(LISTS_OF_OBJECTS, LISTS_OF_OBJECTS, st.sampled_from(["", " ", "\n  "]), st.data())
def test_known_records_do_not_change_what_is_read(
    before: list[object], new: list[object], space: str, data: st.DataObject
) -> None:
    after = data.draw(st.permutations([*before, *new]))[: len(before) + 1]
    text = f"[{space}{f',{space}'.join(json.dumps(one) for one in after)}]"
    known = [json.dumps(one) for one in before]
    array = parse_array(text, known)
    plain = parse_array(text)
    assert [(item.gap, item.text) for item in array.items] == [(item.gap, item.text) for item in plain.items]
    assert (array.head, array.tail) == (plain.head, plain.tail)
    for item, read in zip(array.items, plain.items, strict=True):
        assert item.value == read.value or (item.value is None and item.text in known)


@pytest.mark.parametrize("layout", ["lines", "compact", "pretty"])
def test_a_list_of_records_is_read_in_any_layout(layout: str) -> None:
    values = [{"a": "x,\ny"}, {"b": [1, {"c": 2}]}, {}]
    texts = {
        "lines": dump_lines([dump(value) for value in values]),
        "compact": json.dumps(values),
        "pretty": json.dumps(values, indent=1),
    }
    known = {dump(values[0]): "known"}
    read = parse_lines(texts[layout], known, lambda _, value: value)
    assert read == (["known", *values[1:]] if layout == "lines" else values)
