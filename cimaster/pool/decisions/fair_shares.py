"""Limit each caller's share of a common resource, so that no caller can exhaust it for the others."""

import hashlib
from collections.abc import Collection


def owner_hash(caller: str) -> str:
    """Return the short hash of a caller's address or identity, by which the pool recognizes it."""
    return hashlib.blake2s(caller.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def share_limit(limit: int, others: int) -> int:
    """Return how much of `limit` one caller may have: half of what the others leave, rounded up."""
    return max(limit - others + 1, 0) // 2


def fair_level(used: Collection[int], limit: int) -> int:
    """Return the amount to which each caller is cut down so that together they use at most `limit`.

    What callers below that level leave unused is divided among those above it.
    """
    remaining = limit
    for place, amount in enumerate(sorted(used)):
        equal_share = remaining // (len(used) - place)
        if amount > equal_share:
            return equal_share
        remaining -= amount
    return limit
