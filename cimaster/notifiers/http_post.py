"""Sends a body to an address of the operator by HTTP, and says in a sentence without the address why that failed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from cimaster.notifiers.message import NotDelivered

_CONNECT = 3.05  # seconds
_LONGEST_PAUSE = timedelta(hours=1)
_LATER = (408, 425, 429)  # of the statuses from 400 to 499, those that mean the receiver and not the message
_EXPECTED = "an address such as https://hooks.example.com/services/T0/B0"


def read_url(text: str) -> str:
    """Read an address; a ValueError does not repeat it, because it may be a secret."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address, parts = False, SplitResult("", "", "", "", "")
    if not is_address or "@" in parts.netloc or parts.fragment or not (text.isascii() and text.isprintable()):
        raise ValueError(_EXPECTED)
    return text


class _NoCredentials(AuthBase):
    """Keeps requests from looking for a password in a .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: timedelta, ca_file: str = "") -> None:
    """Send a body; raise NotDelivered unless the answer has a status from 200 to 299. Redirects are not followed."""
    host = urlsplit(url).hostname
    try:
        with (
            requests.Session() as session,
            session.post(
                url,
                data=body,
                headers={"User-Agent": "cimaster", **headers},
                auth=_NoCredentials(),
                stream=True,  # the body of the answer is not read
                allow_redirects=False,
                timeout=(_CONNECT, timeout.total_seconds()),
                verify=ca_file or True,
            ) as answer,
        ):
            status, pause = answer.status_code, _retry_after(answer.headers.get("Retry-After", ""))
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:  # its text would repeat the address
        raise NotDelivered(f"{host} gave no answer ({type(error).__name__})") from None
    if 200 <= status < 300:
        return
    note = ", and redirects are not followed" if 300 <= status < 400 else ""
    refused = 300 <= status < 500 and status not in _LATER
    raise NotDelivered(f"{host} answered {status}{note}", pause, refused=refused)


def _retry_after(text: str) -> timedelta | None:
    """Read Retry-After: seconds, or a date."""
    if text.isascii() and text.isdigit():
        pause = timedelta(seconds=min(int(text[:9]), _LONGEST_PAUSE.total_seconds()))
    else:
        try:
            pause = parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)
        except (ValueError, OverflowError):
            return None
    return min(pause, _LONGEST_PAUSE) if pause > timedelta() else None
