"""Cleans and compares texts of callers and stored data: one line of visible characters."""

import unicodedata
from collections.abc import Iterator

_MOST_MARKS = 4  # combining marks on one character; no script needs more
_MOST_COMPOSED = 32  # marks in a row that are composed: sorting n of them takes n * n steps, 2 s for 60 kB
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)  # letters, marks and symbols for Unicode, but invisible in fonts


def printable(text: str) -> str:
    """Return a text as one line without invisible characters; line breaks become blanks, outer blanks are removed.

    Several blanks become one, accents are composed (NFC), and of many combining marks in a row four are kept.
    """
    if not (text.isascii() and text.isprintable()):
        text = composed("".join(_visible(composed(text))))
    return " ".join(text.split())


def composed(text: str) -> str:
    """Return a text with its accents composed (NFC), without the marks that follow 32 others."""
    return text if text.isascii() else unicodedata.normalize("NFC", "".join(_without_long_runs(text)))


def _without_long_runs(text: str) -> Iterator[str]:
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= _MOST_COMPOSED:
            yield char


def _visible(text: str) -> Iterator[str]:
    marks = 0
    for char in text:
        if char.isspace():
            char = " "
        elif not char.isprintable() or char in _INVISIBLE:
            continue
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            yield char


def has_unseen(text: str) -> bool:
    """Say whether a text has control, format or invisible characters, or too many combining marks in a row."""
    controls = any(unicodedata.category(char) == "Cc" for char in text)
    return controls or printable(text) != composed(" ".join(text.split()))


def same(one: str, other: str) -> bool:
    """Say whether two texts look the same, so that callers can name any stored text."""
    return one == other or printable(one) == printable(other)


def folded(text: str) -> str:
    """Return a text without case, for comparing names of people and for searching."""
    return composed(printable(text).casefold())


def brief(text: str, longest: int = 60) -> str:
    """Return a text, shortened, to be quoted in a sentence."""
    text = printable(text)
    return text if len(text) <= longest else f"{text[:longest]}..."


def same_person(one: str, other: str) -> bool:
    """Say whether two names mean the same person, ignoring case."""
    return folded(one) == folded(other)
