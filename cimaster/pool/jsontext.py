"""Edit JSON text in place, so that whatever we do not know or did not mean to change keeps its very bytes."""

import json
import re
from itertools import pairwise
from typing import Any, NamedTuple

_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class Item(NamedTuple):
    """One element of an array: the text between it and the one before, its own text, its value."""

    gap: str
    text: str
    value: Any


class Array(NamedTuple):
    """An array taken apart: `head`, the items, `tail`; joined again they are the same text."""

    head: str
    items: tuple[Item, ...]
    tail: str


class NotAnArray(ValueError):
    """The text is JSON, and not an array; the message says what it is."""


def dump(value: object) -> str:
    """Write a value compactly, characters outside ASCII as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parse_array(text: str) -> Array:
    """Take an array apart; ValueError (a JSONDecodeError with line and column, where it has one) if it is none."""
    try:
        return _parse_array(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _parse_array(text: str) -> Array:
    start = _skip(text, 0)
    if text[start : start + 1] != "[":
        value = _DECODER.decode(text)
        raise NotAnArray(f"expected an array of records, found {_kind(value)}")
    at = _skip(text, start + 1)
    head, gap_start = text[:at], at
    items: list[Item] = []
    while text[at : at + 1] != "]" or items:
        value, end = _DECODER.raw_decode(text, at)
        items.append(Item(text[gap_start:at], text[at:end], value))
        gap_start = end
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("Extra data", text, _skip(text, at + 1))
    return Array(head, tuple(items), text[gap_start:])


def _kind(value: object) -> str:
    names = {dict: "an object", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class _Member(NamedTuple):
    key: str
    start: int
    value_start: int
    end: int


def _members(text: str) -> list[_Member]:
    members = []
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, key_end = _DECODER.raw_decode(text, at)
        value_start = _skip(text, _skip(text, key_end) + 1)
        _, end = _DECODER.raw_decode(text, value_start)
        members.append(_Member(key, at, value_start, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def edit_object(text: str, edits: dict[str, Any]) -> str:
    """Return the object's text with some members changed, added, or (where the value is None) left out.

    `text` must be a valid JSON object. Members that are not named keep their bytes, their order and their spacing.
    """
    members = _members(text)
    if not members:
        return dump({key: value for key, value in edits.items() if value is not None})
    gaps = [text[before.end : after.start] for before, after in pairwise(members)]
    gap, colon = (gaps or [", "])[-1], _colon(text, members[0])
    last = {member.key: index for index, member in enumerate(members)}  # of two with one key, the last one counts
    parts: list[str] = []
    for index, member in enumerate(members):
        kept = text[member.start : member.end]
        if member.key in edits and last[member.key] == index:
            if edits[member.key] is None:
                continue
            kept = text[member.start : member.value_start] + dump(edits[member.key])
        parts += [gaps[index - 1], kept] if parts else [kept]
    for key, value in edits.items():
        if value is not None and key not in last:
            parts += [gap, dump(key) + colon + dump(value)] if parts else [dump(key) + colon + dump(value)]
    return text[: members[0].start] + "".join(parts) + text[members[-1].end :]


def _colon(text: str, member: _Member) -> str:
    _, key_end = _DECODER.raw_decode(text, member.start)
    return text[key_end : member.value_start]
