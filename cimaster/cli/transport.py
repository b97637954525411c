"""Requests over HTTP: each is sent once, and the answer or the refusal is returned as it came."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import urllib3

from cimaster.cli.errors import ClientError, Refused
from cimaster.cli.settings import TOKEN_FILE
from cimaster.cli.terminal_text import neutral
from cimaster.cli.token_file import TokenFile, TokenUnusable, is_loopback

CONNECT_SECONDS = 5.0
READ_SECONDS = 40.0  # the service keeps a request for 25 s at most
_CREDENTIAL_CODES = ("no_credential", "bad_credential")
Fields = Sequence[tuple[str, str]]


class NotAnswered(ClientError):
    """The request got no answer; it may or may not have arrived."""


@dataclass(frozen=True)
class Answer:
    """What the service answered: `data` from JSON, or `text` from plain text or CSV.

    `following` is the position of the last change shown, if there are more.
    """

    data: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    following: str = ""

    @property
    def message(self) -> str:
        """The sentence that says what was done."""
        return str(self.data.get("message", self.text)).strip()


class Transport:
    """The connections to one service. It may be used from several threads.

    With `token` each request carries a token; over plain http to another machine only if `token_in_clear`.
    """

    def __init__(self, server: str, token: TokenFile | None = None, *, token_in_clear: bool = False) -> None:
        self.server = (server if "://" in server else f"http://{server}").rstrip("/")
        try:
            self._pool = _pool_for(self.server)
        except urllib3.exceptions.HTTPError as error:
            raise _unusable(self.server, error) from None
        self._token = token
        if token:
            token.read()  # a wrong file is refused before anything is changed
            if not token_in_clear and _is_readable_by_others(self.server, self._pool):
                raise TokenUnusable(
                    f"your token is not sent to {self.server}, because others on the network could read it: "
                    "use an https address, or allow it with --insecure-token"
                )

    def send(self, method: str, path: str, fields: Fields, *, plain: bool = False) -> Answer:
        """Send one request; raise Refused, or NotAnswered if no answer came."""
        headers = {"Accept": "text/plain" if plain else "application/json", "User-Agent": "cimaster-cli"}
        headers.update(self._authorization())
        url, body = self.server + path, None
        if method == "POST":
            body = urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif fields:
            url = f"{url}?{urlencode(fields)}"
        try:
            reply = self._pool.request(method, url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.LocationValueError as error:
            raise _unusable(self.server, error) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NotAnswered(f"cannot reach {self.server}: {_reason(error)}") from error
        return self._read(reply, plain)

    def _authorization(self) -> dict[str, str]:
        if not self._token:
            return {}
        try:
            return {"Authorization": f"Bearer {self._token.read()}"}
        except TokenUnusable as error:
            raise NotAnswered(str(error)) from error  # its file is just being replaced: try again

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _read(self, reply: urllib3.BaseHTTPResponse, plain: bool) -> Answer:
        text = reply.data.decode("utf-8", "replace")
        if reply.status >= 300:
            raise _refusal(reply, text, self._token.path if self._token else "")
        following = reply.headers.get("CIMaster-Next", "")
        if plain and reply.headers.get("Content-Type", "").startswith(("text/plain", "text/csv")):
            return Answer(text=text, following=following)
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        if plain or not isinstance(data, dict):
            raise Refused(f"{self.server} answers, but not as CIMaster does: check the address", "bad_answer", 200)
        return Answer(data, following=following)


def _pool_for(server: str) -> urllib3.PoolManager:
    """Return the pool of connections, through the proxy that the environment names for this server."""
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    parts = urllib3.util.parse_url(server)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise urllib3.exceptions.LocationParseError(server)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.netloc or ""):
        return urllib3.ProxyManager(proxy, timeout=timeout, retries=False)
    return urllib3.PoolManager(timeout=timeout, retries=False)


def _is_readable_by_others(server: str, pool: urllib3.PoolManager) -> bool:
    """Say whether requests leave this machine unencrypted, directly or through a proxy."""
    parts = urllib3.util.parse_url(server)
    return parts.scheme == "http" and (pool.proxy is not None or not is_loopback(parts.host or ""))


def _unusable(server: str, error: Exception) -> Refused:
    return Refused(f"{server} is no usable address, write http://HOST:PORT: {error}", "bad_address", 400)


def _refusal(reply: urllib3.BaseHTTPResponse, text: str, token_file: str) -> Refused:
    code = reply.headers.get("CIMaster-Code", "")
    try:
        detail = str(json.loads(text)["detail"])
    except (ValueError, LookupError, TypeError):
        detail = text.strip() if code else ""
    if not detail:
        detail = f"the server answered {reply.status}" + ("" if code else ", and not as CIMaster does")
    if code in _CREDENTIAL_CODES:
        kind = f"another file than {token_file}" if token_file else "the file with your token"
        detail += f"; name {kind} with --token-file or {TOKEN_FILE}"
    retry_after, expected_wait = _seconds(reply, "Retry-After"), _seconds(reply, "CIMaster-Expected-Wait")
    place = reply.headers.get("CIMaster-Place", "")
    return Refused(neutral(detail), code, reply.status, retry_after, place, expected_wait)


def _seconds(reply: urllib3.BaseHTTPResponse, header: str) -> float | None:
    text = reply.headers.get(header, "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name is unknown"
    connecting = isinstance(error, urllib3.exceptions.ConnectTimeoutError)
    if connecting and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "it does not answer"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"no answer within {READ_SECONDS:.0f} s"
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, OSError) and not isinstance(cause, socket.gaierror) and cause.strerror:
        return cause.strerror.lower()
    return neutral(str(cause)) or type(cause).__name__
