"""Durations as the API writes them, such as `90s` or `1h30m`."""

import math
import re

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d{1,9}[wdhms])+")


def seconds(text: str) -> float | None:
    """Return a duration in seconds; None if it is not written as the API writes durations."""
    if not _WHOLE.fullmatch(text.strip()):
        return None
    return float(sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text)))


def about(length: float) -> str:
    """Return seconds in minutes, rounded up, such as `12 min` or `1 h 5 min`."""
    hours, minutes = divmod(max(1, math.ceil(length / 60)), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def words(length: float) -> str:
    """Return seconds as a short text, such as `2m 10s`."""
    minutes, rest = divmod(int(length), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
