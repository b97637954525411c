"""Short forms of what the pool only compares: every write sends everything that it remembers.

A character has six bits, in the alphabet of base64 for URLs. Dots stand for an empty text or an unknown time.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

from cimaster.common.times import may_be_stored

TIME_LENGTH = 6  # characters of a time in seconds since 1970, until the year 4147
LONG_AGO = datetime.min.replace(tzinfo=UTC)  # stands for an unknown time where times are compared
_MISSING = "."
_NUMBER = "~"
_MAX_SECONDS = 1 << 6 * TIME_LENGTH


def short_hash(text: str, length: int) -> str:
    """Return a hash of a text in this many characters, at most 42; the empty text has the empty hash."""
    if not text:
        return ""
    digest = hashlib.blake2s(text.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).decode()[:length]


def padded(text: str, length: int) -> str:
    """Return a hash or time with dots in place of an empty one."""
    return text or _MISSING * length


def unpadded(text: str) -> str:
    """Return the text that `padded` was given."""
    return "" if text.startswith(_MISSING) else text


def short_time(moment: datetime | None) -> str:
    """Return a time, cut to the second; empty if there is none, or it is before 1970."""
    seconds = int(moment.timestamp()) if moment else -1
    if not 0 <= seconds < _MAX_SECONDS:
        return ""
    return urlsafe_b64encode(seconds.to_bytes(6)).decode()[-TIME_LENGTH:]


def long_time(text: str) -> datetime | None:
    """Return the time of a short form; None if it is empty, unreadable or far outside this century."""
    if not text or len(text) > TIME_LENGTH:
        return None
    try:
        moment = datetime.fromtimestamp(int.from_bytes(urlsafe_b64decode(text.rjust(8, "A"))), UTC)
    except (ValueError, OverflowError):
        return None
    return moment if may_be_stored(moment) else None


def short_hex(digits: str) -> str:
    """Return 16 hexadecimal digits as 11 characters; any other text as it is."""
    try:
        content = bytes.fromhex(digits)
    except ValueError:
        return digits
    return urlsafe_b64encode(content).decode().rstrip("=") if content.hex() == digits and len(content) == 8 else digits


def short_number(text: str) -> str:
    """Return a number of 14 to 19 digits, such as the build numbers of Prow, in 12 characters; any other text as it is.

    A text that looks like such a number is marked, so that `long_number` returns any text unchanged.
    """
    if 14 <= len(text) <= 19 and text.isascii() and text.isdigit() and text[0] != "0":
        return _NUMBER + short_hex(f"{int(text):016x}")
    return _NUMBER + text if text.startswith(_NUMBER) else text


def long_number(text: str) -> str:
    """Return the text that `short_number` was given; a damaged number as it is."""
    if not text.startswith(_NUMBER):
        return text
    number = text[len(_NUMBER) :]
    try:
        return number if number.startswith(_NUMBER) else str(int.from_bytes(urlsafe_b64decode(number + "=")))
    except ValueError:
        return text


def long_hex(text: str) -> str:
    """Return the digits that `short_hex` was given; a text of another length as it is."""
    try:
        return urlsafe_b64decode(text + "=").hex() if len(text) == 11 else text
    except ValueError:
        return text
