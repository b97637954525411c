"""Arrays of records, the values of the stored object's keys."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from cimaster.pool.records import json_edit
from cimaster.pool.records.record import Record

_DUPLICATE = "another record before it has the same name"
_Kind = TypeVar("_Kind", bound=Record)


class _HasText(Protocol):
    @property
    def text(self) -> str: ...


def parse(
    text: str, known: Iterable[_Kind], make: Callable[[str, Any], _Kind], name: Callable[[_Kind], str]
) -> tuple[_Kind, ...]:
    """Read stored records; one with the name of an earlier one is broken. ValueError if the text is not an array.

    `known` are records that were read earlier: those whose text has not changed are reused.
    """
    reusable = {record.text: record for record in known if record.fault != _DUPLICATE}
    return _mark_duplicates(json_edit.parse_lines(text, reusable, make), name)


def _mark_duplicates(records: Iterable[_Kind], name: Callable[[_Kind], str]) -> tuple[_Kind, ...]:
    seen: set[str] = set()
    marked = []
    for record in records:
        if record.fault:
            marked.append(record)
        elif name(record) in seen:
            marked.append(record.as_broken(_DUPLICATE))
        else:
            seen.add(name(record))
            marked.append(record)
    return tuple(marked)


def encode(records: Iterable[_HasText]) -> str:
    """Write records as JSON."""
    return json_edit.dump_lines([record.text for record in records])
