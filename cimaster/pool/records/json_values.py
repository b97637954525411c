"""Read and write JSON values: any valid JSON can be read, and everything written can be read back."""

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

MAX_DEPTH = 100  # levels; deeper values are not read, because Python's parser is recursive
_LONGEST_INTEGER = 1000  # digits; Python refuses to read whole numbers of more than 4,300
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class TooDeep:
    """Placeholder for a value that is nested too deeply to be read."""


TOO_DEEP: Final = TooDeep()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float:
    """Read a number; one that is too large becomes the largest float, so that it can be written as JSON."""
    number = float(digits)
    return number if math.isfinite(number) else math.copysign(sys.float_info.max, number)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else _float(digits)


DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_quote = json.encoder.encode_basestring


def dump(value: object) -> str:
    """Write a value compactly, without escaping characters outside ASCII."""
    text = _quote(value) if type(value) is str else _ENCODER.encode(value)
    return text if text.isascii() else utf8_safe(text)


def utf8_safe(text: str) -> str:
    """Return JSON that can be encoded as UTF-8: lone surrogates are escaped."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def load(text: str) -> Any:
    """Read a text that is known to be JSON; a value that is nested too deeply becomes TOO_DEEP."""
    try:
        return readable(text, DECODER.decode(text))
    except RecursionError:
        return TOO_DEEP


def readable(text: str, value: Any) -> Any:
    """Return a decoded value that can be displayed.

    JSON allows lone surrogates, which UTF-8 does not: they are replaced in the value; the stored text keeps them.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _deepest(text) > MAX_DEPTH:
        return TOO_DEEP
    return _without_surrogates(value) if "\\u" in text and _ESCAPED_SURROGATE.search(text) else value


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return value


def _depths(text: str, at: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the end of each bracket, and the nesting depth after it."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        if token[0] in ("[", "{", "]", "}"):
            depth += 1 if token[0] in "[{" else -1
            yield token.end(), depth


def _deepest(text: str) -> int:
    return max(depth for _, depth in _depths(text))


def raw_decode(text: str, at: int) -> tuple[Any, int]:
    """Return the value at this position, and where it ends."""
    try:
        value, end = DECODER.raw_decode(text, at)
    except RecursionError:
        ends = next((end for end, depth in _depths(text, at) if depth == 0), None)
        if ends is None:
            raise json.JSONDecodeError("Unterminated value", text, at) from None
        return TOO_DEEP, ends
    return readable(text[at:end], value), end
