"""Tokens of Kubernetes service accounts, as far as they can be judged without the API server.

Whether a token is valid is up to the API server alone. This refuses what cannot be valid, so that callers with made-up
tokens cost it nothing.
"""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

AUDIENCE = "cimaster"
PREFIX = "system:serviceaccount:"
_LONGEST = 16_384  # characters; a token with all its claims has about 1,500
_THREE_PARTS = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_LATEST = 253_402_300_799  # the last second that a time can have


def expiry(token: str) -> datetime | None:
    """Return when a token ends, as it says itself; None if it cannot be a service account's token for CIMaster."""
    claims = _claims(token)
    ends, account, audiences = claims.get("exp"), claims.get("sub"), claims.get("aud")
    if isinstance(audiences, str):
        audiences = [audiences]
    if not isinstance(audiences, list) or AUDIENCE not in audiences:
        return None
    if not isinstance(account, str) or not account.startswith(PREFIX):
        return None
    if isinstance(ends, bool) or not isinstance(ends, int | float) or not 0 < ends < _LATEST:
        return None
    return datetime.fromtimestamp(ends, UTC)


def _claims(token: str) -> dict[str, Any]:
    """Return the claims in the middle of a signed token; an empty dictionary if there are none."""
    parts = _THREE_PARTS.fullmatch(token) if len(token) <= _LONGEST else None
    if parts is None:
        return {}
    encoded = parts[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
