"""Names that static tokens and proxies may give to callers."""

from cimaster.common.texts import folded
from cimaster.pool import parsers

# Service accounts are called `system:serviceaccount:…`, and the file of roles marks groups and addresses like this.
_RESERVED = ("system:", "group:", "email:")


def caller(text: str) -> str:
    """Read the name of a caller; ValueError, which says what is expected, for one that could be another kind's."""
    name = parsers.person(text)
    check_unreserved(text)
    check_unmistakable(text)
    return name


def check_unreserved(name: str) -> None:
    """Raise ValueError, which says what is expected, for a name with a meaning in Kubernetes or the file of roles."""
    if folded(name).startswith(_RESERVED):
        raise ValueError("a name that does not begin with system:, group: or email:")


def check_unmistakable(text: str) -> None:
    """Raise ValueError for a text with a letter that counts as an ASCII letter when names are compared without case.

    Where people choose their names, one could otherwise choose a name that counts as another person's.
    """
    if letters := mistakable_letters(text):
        raise ValueError(f"a name without letters that count as others when names are compared, here {letters}")


def mistakable_letters(text: str) -> str:
    """Return the letters that count as ASCII letters when names are compared, as `\u00df` counts as `ss`."""
    compared = {letter: folded(letter) for letter in text if not letter.isascii()}
    return "".join(letter for letter, counts_as in compared.items() if counts_as and counts_as.isascii())
