"""Checks a cluster with an HTTP request: the status of the answer decides.

It opens the connection itself instead of using `requests`, so that the time-out covers the whole exchange: otherwise a
server that sends its headers byte by byte could keep the request open without end. It uses no proxies.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from threading import Event
from urllib.parse import SplitResult, quote, urlsplit

from cimaster.checks import placeholders
from cimaster.checks.definition import Definition, key, read_timeout
from cimaster.common import parsers
from cimaster.common.background_thread import Interrupted
from cimaster.common.times import roughly
from cimaster.pool.records.cluster import Cluster

_POLL_INTERVAL = 0.2  # seconds

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_DOMAIN = re.compile(rf"[a-z0-9-]*(\.{_LABEL})*\.[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")


def read_url(text: str) -> str:
    """Read the address of a check. Its host may have placeholders only below a domain that the operator wrote.

    Otherwise an admin could name a cluster like any host, and have CIMaster send a request there.
    """
    placeholders.check(text)
    before, placeholder, domain = str(_split(text).hostname).rpartition("}")
    if placeholder and not _DOMAIN.fullmatch(domain):
        raise ValueError(f"a domain of yours after the placeholders of the host, such as {before}}}.example.com")
    return text


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        has_host = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or brackets without an address
        has_host = False
    if not has_host or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("an address such as https://{cluster}.example.com/healthz")
    return parts


@dataclass(frozen=True)
class HttpCheck(Definition):
    """A request to a cluster, and the status of the answer that counts as passed."""

    url: str = key(read_url)
    status: int = key(parsers.number(200, 599, "a status of HTTP, such as 200", digits=3), 200)
    ca_file: str = key(parsers.any_text, "")
    timeout: timedelta = key(read_timeout, timedelta(seconds=10))

    def verify(self) -> None:
        """Raise ValueError if the certificates in `ca_file` cannot be read."""
        self._tls()

    def run(self, cluster: Cluster, _key: str, stop: Event) -> str:
        """Send the request; redirects are not followed, and the body of the answer is not read."""
        try:
            address = self._address(cluster)
            request = _Request(address, self._tls() if address.scheme == "https" else None, self.timeout)
        except ValueError as error:
            return str(error)
        request.start()
        ends = time.monotonic() + self.timeout.total_seconds()
        while request.is_alive():
            left = ends - time.monotonic()
            if left <= 0 or stop.is_set():
                request.cut()
                break
            request.join(min(left, _POLL_INTERVAL))
        else:
            return self._judged(request)
        if stop.is_set():
            raise Interrupted
        return f"{address.hostname} gave no answer within {roughly(self.timeout)}"

    def _address(self, cluster: Cluster) -> SplitResult:
        filled = urlsplit(placeholders.fill(self.url, cluster, _encoded))
        host = str(filled.hostname)
        if placeholders.are_in(urlsplit(self.url).netloc) and not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not a host name: correct the facts about the cluster, or [{self.name}]")
        return filled

    def _tls(self) -> ssl.SSLContext:
        try:
            return _tls_context(self.ca_file, Path(self.ca_file).stat().st_mtime_ns if self.ca_file else 0)
        except OSError as error:
            raise ValueError(f"ca_file {self.ca_file!r} cannot be read: {error.strerror or error}") from None

    def _judged(self, request: "_Request") -> str:
        host = request.address.hostname
        if request.failure:
            return f"{host} {request.failure}"
        if request.status == self.status:
            return ""
        return f"{host} answered {request.status} instead of {self.status}"


@lru_cache(maxsize=16)
def _tls_context(ca_file: str, _changed_at: int) -> ssl.SSLContext:
    """Read the trusted certificates; each reading takes 50 ms, which requests would wait for."""
    return ssl.create_default_context(cafile=ca_file or None)


def _encoded(value: str) -> str:
    """Encode a fact as one part of an address, which cannot lead to another path."""
    return quote(value, safe="") if value.strip(".") else "-"


class _Request(threading.Thread):
    """A request in a thread of its own, which can be cut off at any time. It ends with a `status` or a `failure`."""

    def __init__(self, address: SplitResult, tls: ssl.SSLContext | None, timeout: timedelta) -> None:
        super().__init__(name="http check", daemon=True)
        self.address = address
        self.status: int | None = None
        self.failure = ""
        self._tls, self._timeout = tls, timeout
        self._connection: socket.socket | None = None

    def cut(self) -> None:
        """End the connection, so that the thread ends too."""
        if self._connection is not None:
            with suppress(OSError):  # closed already
                self._connection.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Send the request and read the status of the answer."""
        host = str(self.address.hostname)
        port = self.address.port or (443 if self._tls else 80)
        try:
            # Shutting the duplicate down ends the connection even during the handshake of TLS.
            with (
                socket.create_connection((host, port), self._timeout.total_seconds()) as plain,
                plain.dup() as self._connection,
                self._tls.wrap_socket(plain, server_hostname=host) if self._tls else plain as secured,
            ):
                self.status = self._exchange(http.client.HTTPConnection(host, port), secured)
        except TimeoutError:
            self.failure = f"gave no answer within {roughly(self._timeout)}"
        except (OSError, http.client.HTTPException) as error:
            self.failure = _reason(error)

    def _exchange(self, connection: http.client.HTTPConnection, connected: socket.socket) -> int:
        connection.sock = connected
        query = f"?{self.address.query}" if self.address.query else ""
        headers = {"Host": self.address.netloc, "User-Agent": "cimaster", "Connection": "close"}
        connection.request("GET", (self.address.path or "/") + query, headers=headers)
        with connection.getresponse() as answer:
            return answer.status


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "is not a known host"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that cannot be trusted: {error.verify_message}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without an answer"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    return f"gave an answer that is not HTTP ({type(error).__name__})"
