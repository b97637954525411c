"""How much one caller may have of what all callers share, so that none of them can use it up for the others."""

import hashlib
from collections.abc import Collection


def owner_hash(caller: str) -> str:
    """Return the short hash by which the pool knows a caller again, such as its address or its identity."""
    return hashlib.blake2s(caller.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def share_limit(limit: int, others: int) -> int:
    """Return how much of `limit` one caller may have: half of what the others leave, rounded up for the last place."""
    return max(limit - others + 1, 0) // 2


def fair_level(used: Collection[int], limit: int) -> int:
    """Return the most that each caller may keep where together they used more than `limit`.

    What callers below that level leave is divided among those above it.
    """
    left = limit
    for place, each in enumerate(sorted(used)):
        if each > (equal := left // (len(used) - place)):
            return equal
        left -= each
    return limit
