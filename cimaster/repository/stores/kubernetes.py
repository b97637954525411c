"""The pool in a ConfigMap, read and written with plain HTTP calls.

The client library's generated methods would spend 3 to 4 ms per call on models that are not used, so bodies are sent as
bytes, in the API server's own encoding. Every call has a time-out, and none is repeated unless it was refused with 401:
a repeated PUT would get 409 because of its own success.
"""

import json
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import FAILED, KubernetesClient, reason
from cimaster.common.kubernetes_watches import Watches
from cimaster.errors import StoreMissing, StoreRefused, StoreTrouble
from cimaster.repository.stores import k8s_protobuf
from cimaster.repository.stores.port import AnswerLost, Change, Conflict, StoredObject

_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class KubernetesStore:
    """One ConfigMap, guarded by its resourceVersion. `manifest` is the file that creates it, for refusals."""

    def __init__(
        self,
        access: KubernetesClient,
        namespace: str,
        name: str,
        clock: Clock | None = None,
        manifest: str = "k8s/base/configmap.yaml",
    ) -> None:
        self.where = f"ConfigMap {namespace}/{name}"
        self._skew: tuple[float, datetime, float] | None = None  # and when it was measured, also by the monotonic clock
        self._access = access
        self._clock = clock or Clock()
        self._namespace = namespace
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self._path = f"{self._collection}/{name}"
        self._name = name
        self._manifest = manifest
        self._changes: Generator[Change] = _no_changes()
        self._watches = Watches(self.where, self._clock)
        self._watching: urllib3.BaseHTTPResponse | None = None
        self._stopped = threading.Event()

    def siblings(self, names: Sequence[str]) -> "list[KubernetesStore]":
        """Return the stores of the archive's ConfigMaps in the namespace, over the same connections."""
        manifest = "k8s/base/history.yaml"
        return [KubernetesStore(self._access, self._namespace, name, self._clock, manifest) for name in names]

    @property
    def watches_cut(self) -> int:
        """How many watches ended right after they started."""
        return self._watches.cut

    def _request(self, method: str, path: str, accept: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "Content-Type": k8s_protobuf.CONTENT_TYPE, "User-Agent": "cimaster"}
        return self._access.request(method, path, headers, **options)

    def read(self, not_older_than: str = "") -> StoredObject:
        """Read the ConfigMap: a quorum read, or one from the server's cache if `not_older_than` is given."""
        path = f"{self._path}?resourceVersion={not_older_than}" if not_older_than else self._path
        sent = self._clock()
        try:
            response = self._request("GET", path, k8s_protobuf.CONTENT_TYPE)
        except FAILED as error:
            raise self._unreachable(error) from error
        self._note_clock(sent, response)
        if response.status != 200:
            raise self._trouble(response)
        try:
            message = k8s_protobuf.raw(response.data)
            return StoredObject(k8s_protobuf.read(message), message)
        except ValueError as error:
            raise StoreTrouble(f"{self.where}: the API server's answer cannot be read: {error}") from error

    def replace(self, changed: StoredObject) -> str:
        """Send the whole ConfigMap with the version that it is based on; the answer has only metadata."""
        if not changed.version:
            raise ValueError("a replace without resourceVersion would overwrite any newer version")
        body = k8s_protobuf.replaced(
            changed.source, changed.data, changed.annotations, changed.version, changed.new_binary
        )
        sent = self._clock()
        try:
            response = self._request("PUT", self._path, _METADATA_ONLY, body=body)
        except urllib3.exceptions.NewConnectionError as error:
            raise self._unreachable(error) from error
        except FAILED as error:
            raise AnswerLost(f"{self.where}: {reason(error)}") from error
        self._note_clock(sent, response)
        if response.status == 409:
            raise Conflict(self.where)
        if response.status >= 500:  # etcd may have applied the write before the server gave up
            raise AnswerLost(f"{self.where}: {_message_of(response)}")
        if response.status != 200:
            raise self._trouble(response)
        return str(json.loads(response.data)["metadata"]["resourceVersion"])

    def wait_for_change(self, timeout: float) -> Change | None:
        """Return the next event of a watch on the metadata; every watch starts with the current state.

        Watches that end right after they started are repeated with growing pauses. If a watch reported nothing, the
        object is read.
        """
        change = next(self._changes, None)
        if change is None and self._stopped.is_set():
            return None  # `rest` would report the watch that we cut
        if change is None and not self._stopped.wait(self._watches.rest()):
            self._changes = self._watch(timeout)
            change = next(self._changes, None) or self._present()
        return change

    def _present(self) -> Change | None:
        if self._stopped.is_set():
            return None
        stored = self.read()
        return Change(stored.version, stored.annotations)

    def _watch(self, timeout: float) -> Generator[Change]:
        query = f"watch=true&fieldSelector=metadata.name%3D{self._name}&timeoutSeconds={max(1, int(timeout))}"
        patience = urllib3.Timeout(connect=2, read=timeout + 3)
        try:
            response = self._request(
                "GET", f"{self._collection}?{query}", _METADATA_ONLY, preload_content=False, timeout=patience
            )
        except FAILED as error:
            raise self._unreachable(error) from error
        try:
            if response.status != 200:
                raise self._trouble(response)
            self._watching = response
            for kind, found in self._watches.events(response):
                metadata = {} if kind == "DELETED" else found["metadata"]
                yield Change(metadata.get("resourceVersion", ""), metadata.get("annotations") or {})
        finally:
            self._watching = None
            response.close()

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which our clock was ahead of the API server's at its last answer; None before the first."""
        return self._skew[0] if self._skew else None

    @clock_skew.setter
    def clock_skew(self, seconds: float | None) -> None:
        self._skew = None if seconds is None else (seconds, self._clock(), self._clock.monotonic())

    @property
    def current_skew(self) -> float:
        """Seconds by which our clock is ahead of the API server's, also if it was set since the last answer."""
        if (measured := self._skew) is None:
            return 0.0
        skew, time, monotonic = measured
        return skew + (self._clock() - time).total_seconds() - (self._clock.monotonic() - monotonic)

    def _note_clock(self, sent: datetime, response: urllib3.BaseHTTPResponse) -> None:
        """Estimate the smallest possible clock difference: the answer was dated between our sending and receiving."""
        received, monotonic = self._clock(), self._clock.monotonic()
        with suppress(ValueError, TypeError):  # no date, or one that a proxy has damaged
            date = parsedate_to_datetime(response.headers.get("Date", ""))
            date = date.replace(tzinfo=date.tzinfo or UTC)
            least = (sent - date).total_seconds() - 1.0  # dates have whole seconds
            most = (received - date).total_seconds()
            self._skew = max(least, min(0.0, most)), received, monotonic

    def _unreachable(self, error: Exception) -> StoreTrouble:
        return StoreTrouble(f"{self.where} cannot be reached: {reason(error)}")

    def _trouble(self, response: urllib3.BaseHTTPResponse) -> StoreTrouble:
        if response.status == 404:
            remedy = f"kubectl -n {self._namespace} apply -f {self._manifest} creates it empty"
            return StoreMissing(f"{self.where} does not exist: {remedy}")
        kind = StoreRefused if response.status in (400, 413, 422) else StoreTrouble
        return kind(f"{self.where}: {_message_of(response)}")

    def stop_waiting(self) -> None:
        """Cut the watch."""
        self._stopped.set()
        watching = self._watching
        if isinstance(watching, urllib3.HTTPResponse):
            with suppress(ValueError, RuntimeError):  # the watch may have just ended
                watching.shutdown()

    def close(self) -> None:
        """End the watch and close idle connections."""
        with suppress(ValueError):  # the watcher did not stop in time and is still reading from it
            self._changes.close()
        self._access.close()


def _no_changes() -> Generator[Change]:
    yield from ()


def _message_of(response: urllib3.BaseHTTPResponse) -> str:
    try:
        in_json = response.headers.get("Content-Type", "").startswith("application/json")
        message = json.loads(response.data)["message"] if in_json else k8s_protobuf.message_of(response.data)
    except (ValueError, KeyError, TypeError):
        message = response.data[:200].decode("utf-8", "replace")
    return f"the API server answered {response.status}: {message}"[:500]
