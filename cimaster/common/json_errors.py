"""Explains to people why a text is not JSON; Python's own messages mention its codecs and limits."""

import json


def reason(error: ValueError | RecursionError) -> str:
    """Return why `json.loads` failed, as the end of a sentence that starts with `the body` or `the file`."""
    if isinstance(error, UnicodeDecodeError):
        return f"is not {error.encoding.upper()} (byte {error.start})"
    if isinstance(error, json.JSONDecodeError):
        return f"is not valid JSON (line {error.lineno}, column {error.colno})"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return "has a number with too many digits"
