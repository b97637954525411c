"""Tokens that look like those of service accounts, and have no valid signature."""

import base64
import json
import time
from typing import Any


def encoded(data: bytes) -> str:
    """Return data as a part of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_claims(claims: object) -> str:
    """Return a token with these claims."""
    header = encoded(b'{"alg":"RS256","kid":"x"}')
    return f"{header}.{encoded(json.dumps(claims).encode())}.{encoded(b'made up')}"


def token(account: str = "ci:e2e", *, ends_in: float = 3600, **others: Any) -> str:
    """Return a token whose claims could be those of a service account."""
    ends = time.time() + ends_in
    return with_claims({"aud": ["cimaster"], "exp": ends, "sub": f"system:serviceaccount:{account}", **others})
