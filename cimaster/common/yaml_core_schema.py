"""Reads YAML by the core schema of version 1.2, where `yes` and dates are text and `012` is twelve.

PyYAML follows YAML 1.1, which Go's parser shares only in part. Values are built directly from the parser's events, so
that a document with too many values is refused before it costs time and memory. Aliases are refused: 400 bytes of them
can stand for millions of values.
"""

import re
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MOST_VALUES = 3_000_000  # in one file; the largest known configuration of Prow, 20 MB, has about half as many
DEEPEST = 100  # nested lists and mappings; a pod has about 15
_PARSER: Any = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # the C parser is ten times faster, but not always available
_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = (None, "!", f"{_TAG}map", f"{_TAG}seq")
_Reader = Callable[[str], Any]


def _integer(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_CORE: dict[str, tuple[re.Pattern[str], _Reader]] = {
    "null": (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    "int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _integer),
    "float": (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    "str": (re.compile(r"(?s:.*)"), str),
}
_BY_FIRST = {
    **dict.fromkeys(("", *"~nN"), ("null",)),
    **dict.fromkeys("tTfF", ("bool",)),
    **dict.fromkeys("-+.0123456789", ("int", "float")),
}


def read(data: bytes) -> Any:
    """Read the first document; raise ValueError if it is not valid YAML or too large."""
    with closing(documents(data)) as every:
        return next(every, None)


def documents(data: bytes) -> Generator[Any]:
    """Yield one document after another; raise ValueError if one is not valid YAML or too large."""
    try:
        events: Any = yaml.parse(data, Loader=_PARSER)
        with closing(events):
            values = _Values(events)
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    yield values.next()
    except yaml.YAMLError as error:
        raise ValueError(f"it is not valid YAML: {' '.join(str(error).split())[:300]}") from None


class _Values:
    """Builds values from the parser's events, and counts them."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._left = MOST_VALUES

    def next(self) -> Any:
        return self._value(next(self._events), 0)

    def _value(self, event: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _refusal(event, f"it has more than {MOST_VALUES:,} values: remove what is not needed")
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if isinstance(event, AliasEvent):
            raise _refusal(event, f"the alias *{event.anchor} is not followed: write out the content of its anchor")
        if depth == DEEPEST:
            raise _refusal(event, f"it is nested more than {DEEPEST} levels deep: make it flatter")
        if event.tag not in _COLLECTIONS:
            raise _refusal(event, f"the tag {event.tag} is not supported: leave it out")
        return self._list(depth + 1) if isinstance(event, SequenceStartEvent) else self._mapping(event, depth + 1)

    def _list(self, depth: int) -> list[Any]:
        made = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            made.append(self._value(event, depth))
        return made

    def _mapping(self, start: MappingStartEvent, depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._value(event, depth)
            if isinstance(key, list | dict):
                raise _refusal(start, "a key of this mapping is a list or a mapping: use a text")
            made[key] = self._value(next(self._events), depth)
        return made


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag is None and event.implicit[0]:
        kinds: tuple[str, ...] = _BY_FIRST.get(text[:1], ())
    elif event.tag in (None, "!"):
        return text
    else:
        kinds = (event.tag.removeprefix(_TAG),)
    for kind in kinds:
        pattern, read_as = _CORE.get(kind, (None, str))
        if pattern and pattern.fullmatch(text):
            return _read_as(read_as, event)
    if event.tag is not None:
        raise _refusal(event, f"{text[:40]!a} with the tag {event.tag} is not supported: leave the tag out")
    return text


def _read_as(kind: _Reader, event: Any) -> Any:
    try:
        return kind(event.value)
    except ValueError:  # Python limits the digits of a number, since parsing takes quadratic time
        raise _refusal(event, f"a number of {len(event.value)} digits: put it in quotes to make it a text") from None


def _refusal(event: Any, sentence: str) -> ValueError:
    mark = event.start_mark
    return ValueError(f"it is not valid YAML here (line {mark.line + 1}, column {mark.column + 1}): {sentence}")
