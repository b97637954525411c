"""Limit how much one caller may use of what all callers share, so that none can use it up for the others."""

import hashlib
from collections.abc import Collection


def owner_hash(caller: str) -> str:
    """Return the short hash by which the pool recognizes a caller, of its address or its identity."""
    return hashlib.blake2s(caller.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def share_limit(limit: int, others: int) -> int:
    """Return how much of `limit` one caller may have: half of what the others leave, rounded up."""
    return max(limit - others + 1, 0) // 2


def fair_level(used: Collection[int], limit: int) -> int:
    """Return the most that each caller may keep if together they used more than `limit`.

    What callers below that level do not use is divided among those above it.
    """
    left = limit
    for place, amount in enumerate(sorted(used)):
        equal_share = left // (len(used) - place)
        if amount > equal_share:
            return equal_share
        left -= amount
    return limit
