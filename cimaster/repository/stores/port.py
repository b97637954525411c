"""The interface of a store: read one object, replace it unless it has changed, wait until it changes."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

COMMIT_ANNOTATION = "cimaster/commit"  # counts the writes of all replicas; orders snapshots


def commit_number(text: str) -> int | None:
    """Read the number of a commit from an annotation; None if it is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


class Conflict(Exception):
    """The object's version differs from the one that a write was based on, or a proxy repeated that write."""


class AnswerLost(Exception):
    """A write was sent without a conclusive answer: it was applied, was not applied, or may still be applied."""


class Change(NamedTuple):
    """A new version of the object (empty if it was deleted), and its annotations if the store reports them."""

    version: str
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class StoredObject:
    """The object as it was read: a ConfigMap in its JSON form.

    `source` is the object in the store's own encoding, for stores that must preserve more than the JSON form contains.
    `new_binary` are the binary values that replace the stored ones when it is written; None keeps those.
    """

    body: Mapping[str, Any]
    source: bytes = b""
    new_binary: Mapping[str, bytes] | None = None

    @property
    def version(self) -> str:
        """The resourceVersion; versions are only ever compared for equality."""
        return str(self._metadata.get("resourceVersion", ""))

    @property
    def uid(self) -> str:
        """Distinguishes the object from another one with the same name that replaced it."""
        return str(self._metadata.get("uid", ""))

    @property
    def data(self) -> Mapping[str, str]:
        """The values by key."""
        return self.body.get("data") or {}

    def binary(self, key: str) -> bytes:
        """Return a binary value; empty if it is missing or damaged."""
        values = self.body.get("binaryData")
        text = values.get(key) if isinstance(values, dict) else None
        try:
            return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
        except binascii.Error:
            return b""

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations by name."""
        return self._metadata.get("annotations") or {}

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body.get("metadata") or {}
        return metadata

    def replaced(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> "StoredObject":
        """Return the whole object with other data and annotations, and everything else unchanged."""
        metadata = {key: value for key, value in self._metadata.items() if key != "managedFields"}
        metadata = {**metadata, "annotations": dict(annotations)}
        return StoredObject({**self.body, "metadata": metadata, "data": dict(data)}, self.source, self.new_binary)

    def with_binary(self, values: Mapping[str, bytes]) -> "StoredObject":
        """Return the object with other binary values."""
        encoded = {key: base64.b64encode(value).decode() for key, value in values.items()}
        return StoredObject({**self.body, "binaryData": encoded}, self.source, values)

    def at(self, version: str) -> "StoredObject":
        """Return the same content at another version."""
        body = {**self.body, "metadata": {**self._metadata, "resourceVersion": version}}
        return StoredObject(body, self.source, self.new_binary)


class Store(Protocol):
    """A store of one object. If it is unusable, all methods raise StoreTrouble, which says what is wrong and where."""

    where: str
    """Where the object is, for people."""

    clock_skew: float | None
    """Seconds by which our clock was ahead of the store's at its last answer; None if the store has no clock."""

    @property
    def current_skew(self) -> float:
        """Seconds by which our clock is ahead of the store's now: it may have been set since the last answer."""
        ...

    @property
    def watches_cut(self) -> int:
        """How many watches ended right after they started; 0 for a store without watches."""
        ...

    def siblings(self, names: Sequence[str]) -> Sequence["Store"]:
        """Return the stores of other objects beside this one."""
        ...

    def read(self, not_older_than: str = "") -> StoredObject:
        """Return the newest object; StoreMissing if there is none.

        With `not_older_than`, a version that the store has reported, that version or any newer one may be returned.
        """
        ...

    def replace(self, changed: StoredObject) -> str:
        """Write the object if its version is still that of `changed`, and return the new version.

        Raises Conflict if it is not, AnswerLost if the outcome is unknown.
        """
        ...

    def wait_for_change(self, timeout: float) -> Change | None:
        """Wait up to `timeout` seconds for a change and return it; None if there was none. Only for one thread."""
        ...

    def stop_waiting(self) -> None:
        """End a `wait_for_change` of another thread immediately; later ones need not wait."""
        ...

    def close(self) -> None:
        """Close the connections; no thread may use the store after that."""
        ...
