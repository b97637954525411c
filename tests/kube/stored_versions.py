"""Every version of the stored object, in the order in which etcd received them.

No answer of the service counts here: this is what it has written.
"""

import base64
import json
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import urllib3

from cimaster.pool import Pool
from cimaster.pool.codec import decode
from cimaster.pool.records.pool import Rules
from cimaster.repository.stores import k8s_protobuf
from cimaster.repository.stores.port import COMMIT_ANNOTATION, StoredObject
from tests.conditions import until

_PAUSE = 0.2  # seconds before a broken connection is opened again
_SILENCE = 2.0  # seconds without a version after which the connection is opened again


@dataclass(frozen=True)
class StoredVersion:
    """One version of the ConfigMap, and when (monotonic) etcd announced it."""

    revision: int
    seen_at: float
    compressed: bytes

    @property
    def object(self) -> StoredObject:
        """The ConfigMap."""
        return StoredObject(k8s_protobuf.read(k8s_protobuf.raw(zlib.decompress(self.compressed))))

    @property
    def size(self) -> int:
        """The bytes of all its values."""
        return sum(self.sizes.values())

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each value."""
        return {key: len(value.encode()) for key, value in self.object.data.items()}

    def pool(self, known: Pool | None = None) -> Pool:
        """Return the pool in it; its records are those of the `known` one where they are equal."""
        stored = self.object
        return decode(stored.data, int(stored.annotations.get(COMMIT_ANNOTATION, 0)), Rules(), known)


class StoredVersions:
    """Follows a ConfigMap in a thread of its own, also after etcd was restarted; a context manager.

    Source: etcd.io/docs/v3.5/dev-guide/api_grpc_gateway.
    """

    def __init__(self, etcd_url: str, namespace: str, name: str = "clusters") -> None:
        self._url = etcd_url
        self._key = base64.b64encode(f"/registry/configmaps/{namespace}/{name}".encode()).decode()
        self._http = urllib3.PoolManager(retries=False, maxsize=2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stored-versions")
        self._next = 0
        self._versions: list[StoredVersion] = []
        self._lost = ""  # why versions are missing

    def __enter__(self) -> Self:
        self._next, _ = self._newest_revision()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._http.clear()

    def up_to_now(self) -> list[StoredVersion]:
        """Return all versions since the block began."""
        newest, _ = self._newest_revision()
        until(lambda: self._lost or (self._versions and self._versions[-1].revision >= newest))
        assert not self._lost, self._lost
        return list(self._versions)

    def _newest_revision(self) -> tuple[int, int]:
        """Return the revision of the newest version, and the one of etcd as a whole."""
        request = json.dumps({"key": self._key, "keys_only": True})
        answer = self._http.request("POST", f"{self._url}/v3/kv/range", body=request, timeout=10.0)
        found = answer.json()
        return int(found["kvs"][0]["mod_revision"]), int(found["header"]["revision"])

    def _run(self) -> None:
        while not self._stop.is_set() and not self._lost:
            try:
                self._watch()
            except (urllib3.exceptions.HTTPError, OSError, KeyError):  # etcd restarts, or nothing was written
                self._stop.wait(_PAUSE)

    def _watch(self) -> None:
        newest, current = self._newest_revision()
        if newest < self._next:  # nothing new; etcd forgets old revisions also of objects that do not change
            self._next = current + 1
        wanted = {"create_request": {"key": self._key, "start_revision": str(self._next)}}
        timeout = urllib3.Timeout(connect=1.0, read=_SILENCE)
        answer = self._http.request(
            "POST", f"{self._url}/v3/watch", body=json.dumps(wanted), timeout=timeout, preload_content=False
        )
        try:
            for line in _lines(answer):
                self._note(json.loads(line).get("result", {}))
                if self._stop.is_set() or self._lost:
                    return
        finally:
            answer.close()

    def _note(self, result: dict[str, Any]) -> None:
        if result.get("canceled"):
            self._lost = f"etcd has compacted versions that were not read: {result}"
        for event in result.get("events", []):
            stored = event["kv"]
            revision = int(stored["mod_revision"])
            compressed = zlib.compress(base64.b64decode(stored["value"]), 1)
            self._versions.append(StoredVersion(revision, time.monotonic(), compressed))
            self._next = revision + 1


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def pools(versions: list[StoredVersion]) -> Iterator[tuple[StoredVersion, Pool]]:
    """Yield each version with its pool."""
    known = None
    for version in versions:
        known = version.pool(known)
        yield version, known
