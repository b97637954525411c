"""Authenticates a request: exactly one credential, of any of the kinds that the operator has configured."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.common.settings import BadSetting
from cimaster.errors import BadCredential, NoCredential, TwoCredentials
from cimaster.settings import Settings
from cimaster.web.identity.identity import Identity
from cimaster.web.identity.proxy_headers import ProxyHeaders, header_names
from cimaster.web.identity.service_accounts import ServiceAccounts
from cimaster.web.identity.sessions import Sessions
from cimaster.web.identity.static_tokens import StaticTokens

REQUIRED = "required"
_BEARER = "bearer"
_CONNECTIONS = 8  # to the API server, for reviews of tokens


@dataclass(frozen=True)
class Authentication:
    """Tells who sent a request. Kinds of credentials that are not configured are None; each request needs exactly one.

    `has_signed_out` says whether an owner's session that began at a time was ended by a sign-out.
    """

    tokens: StaticTokens | None
    service_accounts: ServiceAccounts | None
    proxy: ProxyHeaders | None
    sessions: Sessions | None
    has_signed_out: Callable[[str, datetime], bool]

    def identify(self, environ: Mapping[str, Any], address: str, session: str) -> Identity:
        """Return who sent a request from that address, with that session cookie (or none).

        NoCredential if it has none, TwoCredentials if it has several, BadCredential or another refusal for a bad one.
        """
        authorization = str(environ.get("HTTP_AUTHORIZATION", ""))
        by_proxy = self.proxy.identity(environ) if self.proxy else None
        if (by_proxy is not None) + bool(authorization) + bool(session) > 1:
            raise TwoCredentials(
                "the request has more than one credential: send only one of the header Authorization, a session and "
                "the headers of a proxy"
            )
        if by_proxy is not None:
            return by_proxy
        if authorization:
            return self.of_authorization(authorization, address)
        if session:
            return self._of_session(session)
        raise NoCredential(f"the request does not say who sent it: {self._ways()}")

    def of_authorization(self, authorization: str, address: str) -> Identity:
        """Return the caller that the header Authorization names."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != _BEARER or not token.strip():
            raise BadCredential("the header Authorization is not `Bearer <token>`: send it in that form")
        return self.of_token(token.strip(), address)

    def of_token(self, token: str, address: str) -> Identity:
        """Return the caller that has a token; BadCredential if it is unknown or over."""
        found = self.tokens.find(token) if self.tokens else None
        if found is None and self.service_accounts:
            found = self.service_accounts.review(token, address)
        if found is None:
            raise BadCredential(f"the token is unknown or over: {self._ways()}")
        return found

    def _of_session(self, cookie: str) -> Identity:
        session = self.sessions.read(cookie) if self.sessions else None
        if session is None or self.has_signed_out(session.identity.owner, session.issued):
            raise BadCredential("the session is over: sign in again")
        credential = session.identity.credential
        if credential and not (self.tokens and self.tokens.has(session.identity.name, credential)):
            raise BadCredential("the token with which this session began is no longer valid: sign in with a new one")
        return session.identity

    def _ways(self) -> str:
        """Return how a caller can say who it is."""
        ways = {
            "a token from the operator in the header Authorization: Bearer <token>": self.tokens,
            "a token of a Kubernetes service account for the audience cimaster in it": self.service_accounts,
            "a browser that has signed in at /ui/signin": self.sessions,
            "the address of the proxy that signs people in": self.proxy,
        }
        return f"use {', or '.join(way for way, part in ways.items() if part)}"

    def troubles(self) -> dict[str, str]:
        """Read the operator's files again if they have changed, and return why each cannot be used; empty if it can."""
        parts = {"tokens": self.tokens, "proxy_secret": self.proxy, "session_keys": self.sessions}
        return {name: part.trouble for name, part in parts.items() if part}


def check(settings: Settings) -> None:
    """Raise BadSetting unless the settings say how callers are identified, and a caller can have a credential."""
    if not settings.auth and not _is_loopback(settings.host):
        raise BadSetting(
            f"CIMASTER_HOST is {settings.host!r}, which other machines can reach, and CIMASTER_AUTH is not set: choose "
            "`open` (the service believes every caller) or `required` (each needs a credential)"
        )
    kinds = {
        "CIMASTER_TOKEN_FILE": settings.token_file,
        "CIMASTER_SERVICE_ACCOUNTS": settings.service_accounts,
        "CIMASTER_PROXY_SECRET_FILE": settings.proxy_secret_file,
    }
    if settings.auth != REQUIRED:
        return
    if not any(kinds.values()):
        raise BadSetting(f"CIMASTER_AUTH is 'required', but no caller can have a credential: set {' or '.join(kinds)}")
    if settings.proxy_secret_file and not settings.trusted_proxies:
        raise BadSetting(
            "CIMASTER_PROXY_SECRET_FILE is set, and CIMASTER_TRUSTED_PROXIES is not: set it to the networks from which "
            "the proxy connects, such as 10.0.0.0/8"
        )
    if settings.service_accounts:
        _check_api_server()


def _check_api_server() -> None:
    """Raise BadSetting unless there is an API server to ask about tokens of service accounts."""
    try:
        KubernetesClient(_CONNECTIONS).close()
    except BadSetting as error:
        raise BadSetting(f"CIMASTER_SERVICE_ACCOUNTS is on, but {error}") from None


def single_headers(settings: Settings) -> frozenset[str]:
    """Return the headers that a request may have only once, in upper case; none with `auth = open`.

    Servers join repeated headers with a comma, so a second list of groups would look like a part of the first.
    """
    if settings.auth != REQUIRED:
        return frozenset()
    return frozenset(name.upper() for name in ("Authorization", *header_names(settings)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def configured(
    settings: Settings,
    has_signed_out: Callable[[str, datetime], bool],
    now: Callable[[], datetime] | None = None,
    clock: Clock | None = None,
) -> Authentication | None:
    """Return how callers are authenticated, with sessions by the time that `now` returns; None with `auth = open`."""
    if settings.auth != REQUIRED:
        return None
    return Authentication(
        StaticTokens(settings.token_file) if settings.token_file else None,
        ServiceAccounts(KubernetesClient(_CONNECTIONS, clock), clock) if settings.service_accounts else None,
        ProxyHeaders(settings) if settings.proxy_secret_file else None,
        Sessions(settings.session_key_file, now) if settings.session_key_file else None,
        has_signed_out,
    )
