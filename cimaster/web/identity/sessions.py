"""Sessions of browsers: a signed cookie names its caller until the session ends, and no replica keeps it.

A session has no roles: they are looked up for each request. It ends with the credential that began it.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cimaster.common.clock import Clock
from cimaster.errors import IdentityUnavailable
from cimaster.pool.decisions.sign_outs import LONGEST_SESSION
from cimaster.web.identity import secret_file
from cimaster.web.identity.identity import Identity, Source

_TOLERANCE = timedelta(seconds=10)  # by which the clocks of replicas may differ
_STEP = timedelta(milliseconds=1)  # the unit of the times in a cookie
_VERSION = "1"
_PURPOSE = b"cimaster session "  # what a signature is for, so that a key used elsewhere too signs nothing for both
_LONGEST = 1000  # characters of a cookie
_LATEST = 253_402_300_799_000  # the last millisecond that a time can have


@dataclass(frozen=True)
class Session:
    """A session of a browser: its caller, the kind of credential that began it, and when it began and ends."""

    identity: Identity
    began_with: Source
    issued: datetime
    expires: datetime
    session_id: str


class Sessions:
    """Signs sessions with the first key of a file, and reads those signed with any of them.

    The file is read again when it changes. If it cannot be used, no session is made or read. `now` returns the time:
    that of decisions, so that a replica whose clock is ahead begins no session after the next sign-out.
    """

    def __init__(self, key_file: str, now: Callable[[], datetime] | None = None) -> None:
        self._keys = secret_file.watched(key_file)
        self._now = now or Clock()

    @property
    def trouble(self) -> str:
        """Why the file of keys cannot be used; empty if it can."""
        return self._keys.current_trouble()

    def sign(self, identity: Identity, after: datetime | None = None) -> str:
        """Return the cookie of a new session for a caller; IdentityUnavailable without a usable key.

        `after` is when the caller last signed out, by a clock that may be ahead: the session begins after that.
        """
        keys = self._keys.value
        if not keys:
            raise IdentityUnavailable(
                "sign-in fails because the file of session keys cannot be used: send a token with each request, "
                "or have an operator correct CIMASTER_SESSION_KEY_FILE"
            )
        issued = self._now()
        if after:
            issued = max(issued, after + _STEP)
        expires = min(issued + LONGEST_SESSION, identity.expires or issued + LONGEST_SESSION)
        content = {
            "name": identity.name,
            "source": identity.source,
            "issued": _milliseconds(issued),
            "expires": _milliseconds(expires),
            "credential": identity.credential,
            "id": secrets.token_urlsafe(16),
        }
        encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        signed = f"{_VERSION}.{_base64(encoded)}"
        return f"{signed}.{_signature(keys[0], signed)}"

    def read(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it is over, or was not signed here."""
        signed, _, signature = cookie.rpartition(".")
        if len(cookie) > _LONGEST or not self._is_valid(signed, signature):
            return None
        version, _, encoded = signed.partition(".")
        session = _session(encoded) if version == _VERSION else None
        now = self._now()
        if session is None or not session.issued - _TOLERANCE <= now < session.expires:
            return None
        return session

    def _is_valid(self, signed: str, signature: str) -> bool:
        sent = signature.encode("utf-8", "surrogatepass")
        checked = [hmac.compare_digest(_signature(key, signed).encode(), sent) for key in self._keys.value]
        return any(checked)


def _signature(key: bytes, signed: str) -> str:
    message = _PURPOSE + signed.encode("utf-8", "surrogatepass")
    return _base64(hmac.digest(key, message, hashlib.sha256))


def _session(encoded: str) -> Session | None:
    """Read the content of a cookie; None if any part of it is not as `sign` writes it."""
    try:
        content = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        issued, expires = _time(content["issued"]), _time(content["expires"])
        texts = [content[key] for key in ("name", "credential", "id")]
        if not all(isinstance(text, str) for text in texts) or expires > issued + LONGEST_SESSION:
            return None
        name, credential, session_id = texts
        began_with = Source(content["source"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    identity = Identity(name, Source.SESSION, expires=expires, credential=credential)
    return Session(identity, began_with, issued, expires, session_id)


def _time(milliseconds: Any) -> datetime:
    if type(milliseconds) is not int or not 0 <= milliseconds <= _LATEST:
        raise ValueError("no time")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
