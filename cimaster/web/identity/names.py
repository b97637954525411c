"""Names that static tokens and proxies may give to callers."""

from cimaster.common.texts import folded
from cimaster.pool import parsers

# Service accounts are called `system:serviceaccount:…`, and the file of roles marks groups and addresses like this.
_RESERVED = ("system:", "group:", "email:")


def caller(text: str) -> str:
    """Read the name of a caller; ValueError, which says what is expected, for one that could be another kind's."""
    name = parsers.person(text)
    check_unreserved(name)
    return name


def check_unreserved(name: str) -> None:
    """Raise ValueError, which says what is expected, for a name with a meaning in Kubernetes or the file of roles."""
    if folded(name).startswith(_RESERVED):
        raise ValueError("a name that does not begin with system:, group: or email:")
