"""Calls a Kubernetes API server, for the pool's store and for ProwJobs.

Tokens and client certificates change while a process runs, so they are read again every minute, and when the API server
rejects them. The library does less: it reads a `tokenFile` once, and a pod's token again only after a minute. No token
is ever part of a log line or an error.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject, should_bypass_proxies
from kubernetes.config import ConfigException, list_kube_config_contexts, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME

from cimaster.common import proxies
from cimaster.common.clock import Clock
from cimaster.common.settings import BadSetting, in_environment, inherited

_RELOAD_AFTER = 60.0  # seconds after which the credentials are read again
_RELOAD_TIMEOUT = 5.0  # seconds that a rejected call waits for new credentials, which may come from a slow program
_CALL_TIMEOUT = urllib3.Timeout(connect=2, read=5)
FAILED = (urllib3.exceptions.HTTPError, OSError)  # what a call without an answer raises
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Session:
    """Connections to an API server, the token that is sent on them, and the settings that they were opened with."""

    host: str
    pool: urllib3.PoolManager
    token: str = field(repr=False)
    opened_with: tuple[object, ...] = field(repr=False)
    anonymous: bool


class KubernetesClient:
    """Calls an API server as the pod's service account or as KUBECONFIG says; raises BadSetting if neither works.

    The current context of KUBECONFIG is read once, at the start, because a person may change it later.
    """

    def __init__(self, connections: int, clock: Clock | None = None) -> None:
        self._connections = connections
        self._clock = clock or Clock()
        self._reading = threading.Lock()
        self._failing = False
        self._read_at = self._clock.monotonic()
        self._load = _read_or_refuse(_loader)
        self._session = self._read()

    def request(self, method: str, path: str, headers: Mapping[str, str], **options: Any) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer; it is not repeated, except after a 401 if there are new credentials."""
        started, session = self._clock.monotonic(), self._current_session()
        answer = _send(session, method, path, headers, options)
        if answer.status == 401:
            newer = self._session_after_401(session, started)
            if newer is not session:
                answer.close()
                answer = _send(newer, method, path, headers, options)
        return answer

    def close(self) -> None:
        """Close idle connections."""
        self._session.pool.clear()

    def _current_session(self) -> _Session:
        """Return the current session; if it is old, start a thread that reads the credentials again."""
        if self._clock.monotonic() - self._read_at >= _RELOAD_AFTER and self._reading.acquire(blocking=False):
            try:
                threading.Thread(target=self._reload_and_release, name="credentials", daemon=True).start()
            except RuntimeError:  # the system cannot start a thread now
                self._reading.release()
        return self._session

    def _session_after_401(self, rejected: _Session, started: float) -> _Session:
        """Return the session after a 401; read the credentials again unless another thread did so after the call."""
        if self._reading.acquire(timeout=_RELOAD_TIMEOUT):
            if self._session is rejected and self._read_at <= started:
                self._reload_and_release()
            else:
                self._reading.release()
        return self._session

    def _reload_and_release(self) -> None:
        try:
            self._read_at = self._clock.monotonic()
            self._use(self._read())
            self._failing = False
        except BadSetting as error:
            if not self._failing:
                _log.warning("the previous credentials stay in use: %s", error)
            self._failing = True
        finally:
            self._reading.release()

    def _use(self, read: _Session) -> None:
        previous = self._session
        if read.host != previous.host:  # the new credentials must not be sent to the previous server
            raise BadSetting(f"the API server is {read.host} now: restart the service to use it")
        if read.anonymous and not previous.anonymous:
            raise BadSetting("the credentials are gone: add them again")
        if read.opened_with == previous.opened_with:
            read = replace(read, pool=previous.pool)
        if read != previous:
            self._session = read
            _log.info("the credentials for the API server have changed")

    def _read(self) -> _Session:
        configuration = Configuration()
        _read_or_refuse(lambda: self._load(configuration))
        configuration.retries = False
        configuration.connection_pool_maxsize = self._connections + 4
        _check_proxy(configuration)
        return _read_or_refuse(lambda: _session(configuration))


def _loader() -> Callable[[Configuration], None]:
    if in_environment(SERVICE_HOST_ENV_NAME) and not in_environment("KUBECONFIG"):
        return lambda into: load_incluster_config(client_configuration=into, try_refresh_token=False)
    file = inherited("KUBECONFIG").get("KUBECONFIG") or None
    _, current = list_kube_config_contexts(file)
    return lambda into: load_kube_config(file, current["name"], client_configuration=into, persist_config=False)


def _session(configuration: Configuration) -> _Session:
    token = " ".join(configuration.api_key.get("BearerToken", "").split())
    if not (token.isascii() and token.isprintable()):  # the HTTP library's exception would show it
        raise ValueError("the token has characters that are not allowed in a header")
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    opened_with = (
        configuration.verify_ssl,
        configuration.tls_server_name,
        configuration.proxy,
        *files,
        *map(_digest, files),
    )
    pool = RESTClientObject(configuration).pool_manager
    return _Session(configuration.host, pool, token, opened_with, not (token or configuration.cert_file))


def _digest(path: str | None) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest() if path else b""


def _check_proxy(configuration: Configuration) -> None:
    proxy, host = configuration.proxy, configuration.host
    if proxy and not should_bypass_proxies(host, configuration.no_proxy or ""):
        proxies.check_proxy(proxy, proxies.variable(proxy) or "proxy-url in KUBECONFIG", host)


def _read_or_refuse(read: Callable[[], T]) -> T:
    """Return what `read` returns; turn any exception of the library into BadSetting with a sentence.

    The library's messages repeat the wrong part of a kubeconfig, tokens included: that is left out, and so is the
    exception itself, which a traceback would show.
    """
    try:
        return read()
    except Exception as error:
        kind = "" if isinstance(error, ConfigException | OSError | ValueError) else f"{type(error).__name__}: "
        sentence = kind + re.sub(r"\{.*\}", "{...}", " ".join(str(error).split()))
        raise BadSetting(f"no access to a Kubernetes cluster is configured: {sentence}") from None


def _send(
    session: _Session, method: str, path: str, headers: Mapping[str, str], options: dict[str, Any]
) -> urllib3.BaseHTTPResponse:
    sent = {**headers, "Authorization": session.token} if session.token else headers
    return session.pool.request(
        method, session.host + path, headers=sent, retries=False, **{"timeout": _CALL_TIMEOUT, **options}
    )


def reason(error: Exception) -> str:
    """Return briefly why a call failed."""
    inner = getattr(error, "reason", None) or error
    return f"{type(error).__name__}: {inner}"[:300]
