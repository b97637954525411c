"""Callers that a proxy has authenticated: it sends their names in headers, and a secret that proves the sender."""

import hmac
from collections.abc import Mapping
from typing import Any

from cimaster.common import caller_address
from cimaster.common.texts import composed, printable
from cimaster.errors import BadProxyHeader
from cimaster.settings import Settings
from cimaster.web.identity import names, secret_file
from cimaster.web.identity.identity import Identity, Source

PROOF_HEADER = "X-CIMaster-Proxy-Secret"
_LONGEST_GROUP, _LONGEST_EMAIL = 253, 254
_SEPARATOR = ","  # between groups, and between the values of a header that a request repeats


def header_names(settings: Settings) -> tuple[str, ...]:
    """Return the headers that an authenticating proxy sends; none if no proxy is configured."""
    if not settings.proxy_secret_file:
        return ()
    return settings.proxy_user_header, settings.proxy_groups_header, settings.proxy_email_header, PROOF_HEADER


class ProxyHeaders:
    """The headers of an authenticating proxy, which count only from a trusted address and with the proxy's secret.

    Without a file of secrets these headers mean nothing. If the file cannot be used, requests with them are refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._trusted = settings.trusted_proxies
        self._user, self._groups = settings.proxy_user_header, settings.proxy_groups_header
        self._email = settings.proxy_email_header
        self._secrets = secret_file.watched(settings.proxy_secret_file) if settings.proxy_secret_file else None

    @property
    def trouble(self) -> str:
        """Why the file of secrets cannot be used; empty if it can."""
        return self._secrets.current_trouble() if self._secrets else ""

    def identity(self, environ: Mapping[str, Any]) -> Identity | None:
        """Return the caller that the proxy names in a WSGI request; None if the request has no such headers.

        BadProxyHeader if the sender may not send them, or if they cannot be read. A request that has nothing but the
        secret is one that the proxy passed on without a caller.
        """
        sent = [header for header in (self._user, self._groups, self._email) if _key(header) in environ]
        if self._secrets is None or not (sent or _key(PROOF_HEADER) in environ):
            return None
        self._check_sender(environ, sent or [PROOF_HEADER])
        if not sent:
            return None
        name = self._name(_text(environ, self._user))
        return Identity(name, Source.PROXY, self._group_names(environ), self._address(environ))

    def _check_sender(self, environ: Mapping[str, Any], sent: list[str]) -> None:
        """Raise BadProxyHeader unless the connected peer is a trusted proxy and knows the secret."""
        if not caller_address.is_within(str(environ.get("REMOTE_ADDR") or ""), self._trusted):
            raise BadProxyHeader(
                f"the header {sent[0]} did not come from a proxy in CIMASTER_TRUSTED_PROXIES: leave it out, and send a "
                "token instead"
            )
        proof = str(environ.get(_key(PROOF_HEADER), "")).encode("utf-8", "surrogatepass")
        known = [hmac.compare_digest(proof, secret) for secret in self._secrets.value] if self._secrets else []
        if not any(known):
            raise BadProxyHeader(
                f"the header {sent[0]} came without the proxy's secret: the proxy must send {PROOF_HEADER} with a "
                "secret of CIMASTER_PROXY_SECRET_FILE"
            )

    def _name(self, text: str) -> str:
        if not text:
            raise BadProxyHeader(f"the header {self._user} is missing or empty: the proxy must send the user's name")
        if _SEPARATOR in text:
            raise BadProxyHeader(f"the header {self._user} has several values: the proxy must send one name")
        try:
            return names.caller(text)
        except ValueError as error:
            raise BadProxyHeader(f"the header {self._user} has no usable name: expected {error}") from None

    def _group_names(self, environ: Mapping[str, Any]) -> frozenset[str]:
        """Return the groups; not those that could be mistaken for another one, which must give no role."""
        groups = filter(None, (part.strip() for part in _text(environ, self._groups).split(_SEPARATOR)))
        return frozenset(self._group(group) for group in groups if not names.mistakable_letters(group))

    def _group(self, text: str) -> str:
        try:
            names.check_unreserved(text)
        except ValueError as error:
            raise BadProxyHeader(f"a group in the header {self._groups} cannot be used: expected {error}") from None
        if len(text) > _LONGEST_GROUP:
            raise BadProxyHeader(
                f"a group in the header {self._groups} has more than {_LONGEST_GROUP} characters: the proxy must leave "
                "it out"
            )
        return text

    def _address(self, environ: Mapping[str, Any]) -> str:
        text = _text(environ, self._email)
        is_malformed = "@" not in text or _SEPARATOR in text or " " in text or len(text) > _LONGEST_EMAIL
        if text and (is_malformed or names.mistakable_letters(text)):
            raise BadProxyHeader(f"the header {self._email} is no e-mail address: the proxy must send one, or none")
        return text


def _key(header: str) -> str:
    """Return the key of a header in a WSGI request."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def _text(environ: Mapping[str, Any], header: str) -> str:
    """Return the value of a header, whose bytes WSGI shows as Latin-1; empty if it is missing."""
    try:
        text = str(environ.get(_key(header), "")).encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise BadProxyHeader(f"the header {header} is not UTF-8: the proxy must send it in UTF-8") from None
    if printable(text) != composed(text):
        raise BadProxyHeader(f"the header {header} has invisible characters or line breaks: the proxy must remove them")
    return text
