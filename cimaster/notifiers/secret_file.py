"""Secrets of channels: each is in a file of its own, which is read for each message, so that it can be replaced.

No sentence quotes the path: an operator may have written the secret itself in its place.
"""

from pathlib import Path

from cimaster.common.file_text import decoded
from cimaster.notifiers.message import NotDelivered


def lines(path: str, what: str) -> list[str]:
    """Return the lines of a file that are neither empty nor comments; NotDelivered, which names `what`, without any."""
    try:
        text = decoded(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise NotDelivered(f"its {what} names a file that cannot be read ({type(error).__name__})") from None
    found = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not found:
        raise NotDelivered(f"its {what} names an empty file: write the secret into it")
    return found


def verify(path: str, what: str) -> None:
    """Raise ValueError if the file cannot be read or is empty."""
    try:
        lines(path, what)
    except NotDelivered as problem:
        raise ValueError(str(problem)) from None
