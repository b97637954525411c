"""Text for terminals: data cannot move the cursor, hide text or reorder it."""

import unicodedata
from collections.abc import Iterable, Sequence

_UNSAFE_CATEGORIES = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


def neutral(text: str) -> str:
    r"""Return a text as one line in which control and format characters are visible escapes, such as `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE_CATEGORIES else char for char in text)


def neutral_lines(text: str) -> str:
    """Return a text of several lines with each line made neutral."""
    return "".join(f"{neutral(line)}\n" for line in text.split("\n") if line)


def aligned(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with one line for the heads and for each row."""
    lines = [list(heads), *([neutral(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    texts = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(f"{text.rstrip()}\n" for text in texts)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
