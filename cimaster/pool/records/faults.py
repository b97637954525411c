"""Checks of stored records; each function describes what is wrong with a record, and returns "" if it is usable."""

import unicodedata
from collections.abc import Iterable, Sequence

from cimaster.pool.records.json_values import TooDeep
from cimaster.pool.records.record import Fields

_NEVER_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")  # control characters, lone surrogates, line and paragraph separators
_OF_CLUSTERS = ("region", "purpose", "osimage", "lastJob", "lastBuild", "lastTriggerName")


def of_cluster(fields: object) -> str:
    """Say what is wrong with a cluster."""
    if not isinstance(fields, dict):
        return of_object(fields)
    name, status = fields.get("name"), fields.get("status")
    if not isinstance(name, str) or not name.strip():
        return "'name' is missing or not a text"
    if not name.isprintable() and any(unicodedata.category(char) in _NEVER_IN_NAMES for char in name):
        return "'name' has control characters"
    if "\ufffd" in name:
        return "'name' has characters that cannot be read"
    if status not in ("finished", "testing"):
        return "'status' is neither 'finished' nor 'testing'"
    for flag in ("hold", "disabled"):
        if not isinstance(fields.get(flag), bool | None):
            return f"'{flag}' is neither true nor false"
    return _no_text(fields, _OF_CLUSTERS)


def of_object(value: object) -> str:
    """Say what is wrong with a value that should be an object."""
    if isinstance(value, TooDeep):
        return "the record is nested too deeply"
    return "" if isinstance(value, dict) else "the record is not an object"


def of_creation(value: object, states: Sequence[str]) -> str:
    """Say what is wrong with a creation."""
    if not isinstance(value, dict):
        return of_object(value)
    if not Fields(value).get_id("id"):
        return "'id' is missing or not an id"
    if value.get("state") not in states:
        return f"'state' is none of {', '.join(states)}"
    return _no_text(value, ("purpose", "user", "branch", "job"))


def of_ticket(value: object) -> str:
    """Say what is wrong with a ticket."""
    if not isinstance(value, dict):
        return of_object(value)
    return "" if Fields(value).get_id("id") else "'id' is missing or not an id"


def of_notice(value: object, kinds: Sequence[str]) -> str:
    """Say what is wrong with a notice."""
    if not isinstance(value, dict):
        return of_object(value)
    fields, destinations = Fields(value), value.get("sendTo")
    if not fields.get_id("id"):
        return "'id' is missing or not an id"
    if value.get("kind") not in kinds:
        return f"'kind' is none of {', '.join(kinds)}"
    if fields.get_time("at") is None:
        return "'at' is missing or not a time"
    if not isinstance(destinations, list) or not all(isinstance(each, str) for each in destinations):
        return "'sendTo' is not a list of texts"
    return _no_text(value, ("cluster", "purpose", "person", "job", "build", "by", "reason"))


def of_policy(value: object) -> str:
    """Say what is wrong with a policy."""
    if not isinstance(value, dict):
        return of_object(value)
    fields = Fields(value)
    if not fields.get_text("purpose"):
        return "'purpose' is missing or not a text"
    for key in ("minVacant", "maxTotal", "maxCreating"):
        if fields.has(key) and value[key] != fields.get_number(key):
            return f"'{key}' is not a number of clusters"
    if fields.unreadable_among("cooldown"):
        return "'cooldown' is not a duration such as 5m"
    return _no_text(value, ("job", "branch"))


def of_purpose(value: object, after_expiry: Sequence[str]) -> str:
    """Say what is wrong with the rules of a purpose."""
    if not isinstance(value, dict):
        return of_object(value)
    fields = Fields(value)
    if not fields.get_text("purpose"):
        return "'purpose' is missing or not a text"
    if fields.has("afterExpiry") and value["afterExpiry"] not in after_expiry:
        return f"'afterExpiry' is none of {', '.join(after_expiry)}"
    return _no_text(value, ("check", "clean"))


def _no_text(fields: dict[str, object], keys: Iterable[str]) -> str:
    for key in keys:
        value = fields.get(key)
        if value is not None and not isinstance(value, str):
            return f"'{key}' is not a text"
    return ""
