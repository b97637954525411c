"""Why a text is no JSON, in words for people: Python's own speak of its codecs, limits and settings."""

import json


def told(error: ValueError | RecursionError) -> str:
    """Say what of a text kept `json.loads` from reading it, as what follows `the body` or `the file`."""
    if isinstance(error, UnicodeDecodeError):
        return f"is not {error.encoding.upper()} (byte {error.start})"
    if isinstance(error, json.JSONDecodeError):
        return f"is not valid JSON (line {error.lineno}, column {error.colno})"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return "has a number with too many digits"
