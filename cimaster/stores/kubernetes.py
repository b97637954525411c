"""The pool in a ConfigMap, by the official client's connection pool and credentials.

The generated methods would cost 3 to 4 ms a call for models that nobody looks at, so bodies go as bytes, in the API
server's own encoding. Every call has a time-out, and none is repeated by the client: a repeated PUT would answer 409 to
its own success.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.config import ConfigException

from cimaster.clock import Clock
from cimaster.errors import StoreMissing, StoreRefused, StoreTrouble
from cimaster.stores import wire
from cimaster.stores.port import AnswerLost, Change, Conflict, StoredObject

_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_CALL = urllib3.Timeout(connect=2, read=5)


class KubernetesStore:
    """One ConfigMap, guarded by its resourceVersion."""

    def __init__(self, client: ApiClient, namespace: str, name: str, clock: Clock | None = None) -> None:
        self.where = f"ConfigMap {namespace}/{name}"
        self.clock_skew: float | None = None
        self._client = client
        self._clock = clock or Clock()
        self._collection = f"{client.configuration.host}/api/v1/namespaces/{namespace}/configmaps"
        self._url = f"{self._collection}/{name}"
        self._name = name
        self._news: Generator[Change] = _nothing()
        self._watching: urllib3.BaseHTTPResponse | None = None
        self._stopped = False

    def _headers(self, accept: str) -> dict[str, str]:
        configuration = self._client.configuration
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        headers = {"Accept": accept, "Content-Type": wire.CONTENT_TYPE, "User-Agent": "cimaster"}
        return {**headers, "Authorization": token} if token else headers

    def _request(self, method: str, url: str, accept: str, **options: Any) -> urllib3.BaseHTTPResponse:
        return self._client.rest_client.pool_manager.request(
            method, url, headers=self._headers(accept), retries=False, **{"timeout": _CALL, **options}
        )

    def read(self, not_older_than: str = "") -> StoredObject:
        """Read the ConfigMap; without a version this is a quorum read, with one the server's cache will do."""
        url = f"{self._url}?resourceVersion={not_older_than}" if not_older_than else self._url
        sent = self._clock()
        try:
            response = self._request("GET", url, wire.CONTENT_TYPE)
        except (urllib3.exceptions.HTTPError, ConfigException, OSError) as error:
            raise self._unreachable(error) from error
        self._note_clock(sent, response)
        if response.status != 200:
            raise self._trouble(response)
        try:
            message = wire.raw(response.data)
            return StoredObject(wire.read(message), message)
        except ValueError as error:
            raise StoreTrouble(f"{self.where}: the API server's answer cannot be read: {error}") from error

    def replace(self, changed: StoredObject) -> str:
        """Put the whole ConfigMap at the version that it carries; only metadata comes back."""
        if not changed.version:
            raise ValueError("a replace without resourceVersion would overwrite whatever is there")
        body = wire.replaced(changed.source, changed.data, changed.annotations, changed.version)
        sent = self._clock()
        try:
            response = self._request("PUT", self._url, _METADATA_ONLY, body=body)
        except urllib3.exceptions.NewConnectionError as error:
            raise self._unreachable(error) from error
        except (urllib3.exceptions.HTTPError, ConfigException, OSError) as error:
            raise AnswerLost(f"{self.where}: {_reason(error)}") from error
        self._note_clock(sent, response)
        if response.status == 409:
            raise Conflict(self.where)
        if response.status >= 500:  # etcd may have taken the write before the server gave up
            raise AnswerLost(f"{self.where}: {_said(response)}")
        if response.status != 200:
            raise self._trouble(response)
        return str(json.loads(response.data)["metadata"]["resourceVersion"])

    def wait_for_change(self, timeout: float) -> Change | None:
        """Return the next event of a watch on the metadata; every connection begins with the present state."""
        change = next(self._news, None)
        if change is None and not self._stopped:
            self._news = self._watch(timeout)
            change = next(self._news, None)
        return change

    def _watch(self, timeout: float) -> Generator[Change]:
        query = f"watch=true&fieldSelector=metadata.name%3D{self._name}&timeoutSeconds={max(1, int(timeout))}"
        try:
            response = self._request(
                "GET", f"{self._collection}?{query}", _METADATA_ONLY,
                preload_content=False, timeout=urllib3.Timeout(connect=2, read=timeout + 3),
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, ConfigException, OSError) as error:
            raise self._unreachable(error) from error
        try:
            if response.status != 200:
                raise self._trouble(response)
            self._watching = response
            yield from _events(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            self._watching = None
            response.close()

    def _note_clock(self, sent: datetime, response: urllib3.BaseHTTPResponse) -> None:
        """Learn by how much our clock is off, at least: the server named its time between our sending and receiving."""
        received = self._clock()
        with suppress(ValueError, TypeError):  # no date, or what something between us made of it
            date = parsedate_to_datetime(response.headers.get("Date", ""))
            date = date.replace(tzinfo=date.tzinfo or UTC)  # it has whole seconds
            least, most = (sent - date).total_seconds() - 1.0, (received - date).total_seconds()
            self.clock_skew = max(least, min(0.0, most))

    def _unreachable(self, error: Exception) -> StoreTrouble:
        return StoreTrouble(f"{self.where} cannot be reached: {_reason(error)}")

    def _trouble(self, response: urllib3.BaseHTTPResponse) -> StoreTrouble:
        if response.status == 404:
            return StoreMissing(f"{self.where} does not exist: kubectl apply -k k8s/ makes an empty one")
        kind = StoreRefused if response.status in (400, 413, 422) else StoreTrouble
        return kind(f"{self.where}: {_said(response)}", status=response.status)

    def stop_waiting(self) -> None:
        """Cut the watch."""
        self._stopped = True
        watching = self._watching
        if isinstance(watching, urllib3.HTTPResponse):
            with suppress(ValueError, RuntimeError):  # it may have ended by itself just now
                watching.shutdown()

    def close(self) -> None:
        """End the watch and close idle connections."""
        with suppress(ValueError):  # its thread did not end in time and still reads from it
            self._news.close()
        self._client.rest_client.pool_manager.clear()


def _nothing() -> Generator[Change]:
    yield from ()


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[Change]:
    rest = b""
    for chunk in response.stream(4096, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            metadata = {} if event["type"] == "DELETED" else event["object"]["metadata"]
            yield Change(metadata.get("resourceVersion", ""), metadata.get("annotations") or {})


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return f"{type(error).__name__}: {inner}"[:300]


def _said(response: urllib3.BaseHTTPResponse) -> str:
    try:
        in_json = response.headers.get("Content-Type", "").startswith("application/json")
        message = json.loads(response.data)["message"] if in_json else wire.message_of(response.data)
    except (ValueError, KeyError, TypeError):
        message = response.data[:200].decode("utf-8", "replace")
    return f"the API server answered {response.status}: {message}"[:500]
