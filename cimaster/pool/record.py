"""What a stored record must be for the service to lend the cluster that it describes."""

import json
from typing import Any

from cimaster.pool import jsontext

_TEXTS = ("region", "purpose", "osimage", "lastJob", "lastBuild", "lastTriggerName")


def fault(fields: object) -> str:
    """Say what is wrong with a record, or nothing."""
    if not isinstance(fields, dict):
        return "the record is not an object"
    name, status = fields.get("name"), fields.get("status")
    if not isinstance(name, str) or not name.strip():
        return "'name' is missing or not a text"
    if status not in ("finished", "testing"):
        return "'status' is neither 'finished' nor 'testing'"
    for flag in ("hold", "disabled"):
        if not isinstance(fields.get(flag), bool | None):
            return f"'{flag}' is neither true nor false"
    for key in _TEXTS:
        if not isinstance(fields.get(key), str | None):
            return f"'{key}' is not a text"
    return ""


def speakable(fields: object, text: str) -> dict[str, Any]:
    """Return what may be shown of a record (nothing, if it is no object).

    JSON allows halves of surrogate pairs, which UTF-8 does not: they are replaced in what we read; the text keeps them.
    """
    if not isinstance(fields, dict) or "\\ud" not in text.lower():
        return fields if isinstance(fields, dict) else {}
    whole = jsontext.dump(fields).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return dict(json.loads(whole))
