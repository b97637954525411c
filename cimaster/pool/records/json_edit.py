"""Edit JSON text in place, so that all unchanged members keep their bytes."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from cimaster.pool.records.json_values import DECODER, SURROGATES, TooDeep, dump, load, raw_decode, readable

_BLANKS = " \t\n\r"
_SPACE = re.compile(rf"[{_BLANKS}]*")


class Item(NamedTuple):
    """One element of an array: the text between it and the one before, its own text, its value.

    The value of an element that was already known is None.
    """

    gap: str
    text: str
    value: Any


class Array(NamedTuple):
    """An array split into `head`, items and `tail`, which joined are the original text."""

    head: str
    items: tuple[Item, ...]
    tail: str


class NotAnArray(ValueError):
    """The text is JSON, but not an array; the message says what it is."""


def parse_array(text: str, known: Sequence[str] = ()) -> Array:
    """Split an array; NotAnArray if it is another value, JSONDecodeError with line and column if it is not JSON.

    `known` are the texts of the objects that the array had before, in order: unchanged ones are not parsed again,
    which saves most of the work.
    """
    start = _skip(text, 0)
    if text[start : start + 1] != "[":
        value = load(text)
        raise NotAnArray(f"expected an array of records, found {_kind(value)}")
    at = _skip(text, start + 1)
    head, gap_start, place = text[:at], at, 0
    items: list[Item] = []
    while text[at : at + 1] != "]" or items:
        found = _find_known(text, at, known, place)
        if found is None:
            value, end = raw_decode(text, at)
            items.append(Item(text[gap_start:at], text[at:end], value))
            place += 1
        else:
            end = at + len(known[found])
            items.append(Item(text[gap_start:at], known[found], None))
            place = found + 1
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


def _find_known(text: str, at: int, known: Sequence[str], place: int) -> int | None:
    """Return the index of the known text at this position: `place`, or a neighbour if a record was added or removed.

    A text that begins with a known object is that object, because no object is a prefix of another.
    """
    if place < len(known) and text.startswith(known[place], at):
        return place
    for near in (place + 1, place - 1):
        if 0 <= near < len(known) and text.startswith(known[near], at):
            return near
    return None


_Kept = TypeVar("_Kept")


def parse_lines(text: str, known: Mapping[str, _Kept], make: Callable[[str, Any], _Kept]) -> list[_Kept]:
    """Read an array that `dump_lines` wrote, or any other; elements whose text is in `known` are reused."""
    reusable = dict(known)  # two elements with the same text stay two objects
    if text.startswith("[\n") and text.endswith("\n]"):
        try:
            lines = text[2:-2].split(",\n")
            return [reusable.pop(line, None) or make(line, readable(line, DECODER.decode(line))) for line in lines]
        except (json.JSONDecodeError, RecursionError):  # formatted by hand, or nested too deeply
            reusable = dict(known)
    return [reusable.pop(item.text, None) or make(item.text, item.value) for item in parse_array(text).items]


def dump_lines(texts: Sequence[str]) -> str:
    """Write an array with one element per line, so that people can read the stored object."""
    return "[\n" + ",\n".join(texts) + "\n]" if texts else "[]"


def _kind(value: object) -> str:
    names = {dict: "an object", str: "a string", bool: "true or false", type(None): "null", TooDeep: "too deep a value"}
    return names.get(type(value), "a number")


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] not in _BLANKS:  # the usual case; the empty text at the end counts as blank
        return at
    match = _SPACE.match(text, at)
    return match.end() if match else at


class Member(NamedTuple):
    """One member of an object: the text between it and the one before, its key with the colon, its value."""

    gap: str
    key: str
    value: str


class ObjectText:
    """The text of an object, split so that members can be changed while all others keep their bytes."""

    def __init__(
        self, head: str, members: dict[str, Member], tail: str, duplicates: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._head, self._members, self._tail, self._duplicates = head, members, tail, duplicates

    @classmethod
    def parse(cls, text: str) -> "ObjectText":
        """Split a text that is known to be a valid JSON object."""
        at = _skip(text, _skip(text, 0) + 1)
        head, gap_start, members, duplicates = text[:at], at, dict[str, Member](), dict[str, tuple[str, ...]]()
        while text[at] != "}":
            key, key_end = DECODER.raw_decode(text, at)
            key = SURROGATES.sub("\ufffd", key)  # as `json_values.readable` does
            value_start = _skip(text, _skip(text, key_end) + 1)
            _, end = DECODER.raw_decode(text, value_start)
            if (
                key in members
            ):  # the last member with a key counts; earlier ones are renamed, so that no edit finds them
                duplicate = f"{key}\0{at}"
                duplicates[key] = (*duplicates.get(key, ()), duplicate)
                members = {duplicate if other == key else other: member for other, member in members.items()}
            members[key] = Member(text[gap_start:at], text[at:value_start], text[value_start:end])
            gap_start, at = end, _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
        return cls(head, members, text[gap_start:], duplicates)

    def edited(self, edits: Mapping[str, Any]) -> "ObjectText":
        """Return the object with members changed or added at the end; a value of None removes a member."""
        members = dict(self._members)
        *_, model = members.values() or [Member(", ", '"":', "")]
        colon = model.key[model.key.rindex('"') + 1 :]
        for key, value in edits.items():
            if value is None:
                members.pop(key, None)
                for duplicate in self._duplicates.get(key, ()):
                    members.pop(duplicate, None)
            elif key in members:
                members[key] = members[key]._replace(value=dump(value))
            else:
                members[key] = Member(model.gap or ", ", dump(key) + colon, dump(value))
        return ObjectText(self._head, members, self._tail, self._duplicates)

    def __str__(self) -> str:
        texts = [member.gap + member.key + member.value for member in self._members.values()]
        if texts:
            texts[0] = texts[0][len(next(iter(self._members.values())).gap) :]
        return f"{self._head}{''.join(texts)}{self._tail}"
