"""The stored form of a change until it is archived: a list, because every write sends all unarchived changes.

A typical change takes 75 bytes instead of 120: the number of its commit, the time, the cluster, letters for the event
with its states and for the result of the job, the person, job and build. Other changes have the values of `ORDER` in
full. Either list may end with an object of further members.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cimaster.common.times import format_time, stored_time
from cimaster.pool.records import health
from cimaster.pool.records.short_forms import long_number, long_time, short_number, short_time

ORDER = ("commit", "at", "cluster", "event", "from", "to", "by", "job", "build")
_EVENTS = {
    "t": ("taken", "vacant", "occupied"),
    "f": ("finished", "occupied", "vacant"),
    "c": ("finished", "occupied", "checking"),
    "p": ("clean passed", "checking", "vacant"),
    "e": ("lease ended", "occupied", "vacant"),
    "h": ("held", "vacant", "held"),
    "r": ("released", "held", "vacant"),
    "x": ("hold ended", "held", "vacant"),
}
_LETTERS = {event: letter for letter, event in _EVENTS.items()}
_NOT_IN_LETTERS = ("commit", "at", "cluster", "by", "job", "build")
_SHORT_LENGTH = 7
_CACHED_TIMES = 1024  # under load, hundreds of changes have the same time


def shortened(fields: Mapping[str, Any]) -> list[Any]:
    """Return a change as it is stored."""
    more = {name: value for name, value in fields.items() if name not in ORDER}
    return _short(fields, more) or [fields.get(name, "") for name in ORDER] + ([more] if more else [])


def _short(fields: Mapping[str, Any], more: Mapping[str, Any]) -> list[Any] | None:
    """Return a change with letters; None if `expanded` would not return the same members in the same order."""
    letters = _LETTERS.get((fields.get("event", ""), fields.get("from", ""), fields.get("to", "")))
    if letters is None or list(fields) != [*(name for name in ORDER if fields.get(name, "") != ""), *more]:
        return None
    if list(more) == ["result"] and isinstance(more["result"], str) and more["result"] in health.LETTERS:
        letters, more = letters + health.LETTERS[more["result"]], {}
    commit, at, cluster, by, job, build = (fields.get(name, "") for name in _NOT_IN_LETTERS)
    if not isinstance(at, str) or not isinstance(build, str) or not (short_at := _short_at(at)):
        return None
    short = [commit, short_at, cluster, letters, by, job, short_number(build), *([more] if more else [])]
    return short if _is_of_type(short, _SHORT_LENGTH) else None


@lru_cache(maxsize=_CACHED_TIMES)
def _short_at(at: str) -> str:
    """Return the short form of a time; empty if `_long_at` would return another text."""
    short = short_time(stored_time(at))
    return short if _long_at(short) == at else ""


@lru_cache(maxsize=_CACHED_TIMES)
def _long_at(short: str) -> str:
    """Return the text of a time in the short form; empty if it cannot be read."""
    moment = long_time(short)
    return format_time(moment) if moment else ""


def expanded(value: object) -> dict[str, Any] | None:
    """Return the members of a change that is stored as a list; None if it is not such a list."""
    if not isinstance(value, list):
        return None
    if len(value) in (_SHORT_LENGTH, _SHORT_LENGTH + 1):
        return _read_short(value)
    if len(value) not in (len(ORDER), len(ORDER) + 1) or not _is_of_type(value, len(ORDER)):
        return None
    return _given(dict(zip(ORDER, value, strict=False))) | _more(value, len(ORDER))


def _read_short(value: list[Any]) -> dict[str, Any] | None:
    if not _is_of_type(value, _SHORT_LENGTH):
        return None
    commit, at, cluster, letters, by, job, build = value[:_SHORT_LENGTH]
    moment = _long_at(at)
    if letters[:1] not in _EVENTS or not moment:
        return None
    event, before, after = _EVENTS[letters[:1]]
    members = (commit, moment, cluster, event, before, after, by, job, long_number(build))
    result = {"result": health.RESULT_OF.get(letters[1:], "")}
    return _given(dict(zip(ORDER, members, strict=True)) | result) | _more(value, _SHORT_LENGTH)


def _is_of_type(value: list[Any], length: int) -> bool:
    """Say whether a list has a number, then texts up to this length, and then at most an object."""
    texts = all(isinstance(text, str) for text in value[1:length])
    return type(value[0]) is int and texts and all(isinstance(more, dict) for more in value[length:])


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value != ""}


def _more(value: list[Any], length: int) -> dict[str, Any]:
    return value[length] if len(value) > length else {}
