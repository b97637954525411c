"""The pool in one SQLite file, for a laptop or a single machine: the same object, with the same versioning rules.

Several processes may use the file concurrently. A write that was answered is on the disk (synchronous FULL).
"""

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cimaster.errors import StoreMissing, StoreRefused, StoreTrouble, StoreUnreadable
from cimaster.repository.stores.port import AnswerLost, Change, Conflict, StoredObject

POLL = 0.05  # seconds; checking whether another connection wrote takes SQLite microseconds
VALUE_LIMIT = 1 << 20  # bytes of all values together, as in a Kubernetes API server
_EXISTS = "SELECT 1 FROM objects WHERE name = ?"
_SCHEMA = "CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL)"


class SQLiteStore:
    """One row of one file, guarded by its version number."""

    def __init__(self, path: str, name: str, *, prepared: bool = False) -> None:
        self.path = Path(path).absolute()
        self.where = f"file {self.path}"
        self.clock_skew: float | None = None
        self.watches_cut = 0
        self._name = name
        self._mine = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._quoted: dict[str, tuple[str, str]] = {}
        self._last_seen: Change | None = None
        self._stopped = threading.Event()
        if not prepared:
            self._prepare([name])

    @property
    def current_skew(self) -> float:
        """The clock skew: the file has no clock."""
        return self.clock_skew or 0.0

    def siblings(self, names: Sequence[str]) -> "list[SQLiteStore]":
        """Return the stores of other rows of the file."""
        if names:
            self._prepare(names)
        siblings = [SQLiteStore(str(self.path), name, prepared=True) for name in names]
        for sibling in siblings:
            sibling.where += f", object {sibling._name}"
        return siblings

    def _prepare(self, names: Sequence[str]) -> None:
        """Create the file with empty objects where they do not exist, as the manifest in k8s/ does for ConfigMaps.

        All are created in one transaction, because each one waits for the disk several times.

        Only this user may read it; SQLite gives its -wal and -shm files the same permissions.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # it exists already; if it cannot be created, SQLite's error explains why
            self.path.touch(mode=0o600, exist_ok=False)
        rows = [(name, json.dumps(_empty(name))) for name in names]
        try:
            connection = sqlite3.connect(self.path, timeout=5, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                # A killed process may have left a write that is not synced; no answer may depend on it until it is.
                connection.execute("PRAGMA wal_checkpoint")
                connection.execute(_SCHEMA)
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR IGNORE INTO objects VALUES (?, 1, ?)", rows)
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            if not self.path.exists():
                raise self._trouble(error) from error
            # a file that cannot be written (read-only, disk full) can still be read, and may recover
        except sqlite3.DatabaseError as error:
            raise StoreUnreadable(f"{self.where} is no usable SQLite database ({error}): restore the file") from error

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection, to the file that is at the path now: it may have been replaced."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise self._file_missing() from error
        identity = (stat.st_dev, stat.st_ino)
        if getattr(self._mine, "identity", None) != identity:
            existing = f"{self.path.absolute().as_uri()}?mode=rw"  # a file that has just been moved is not made anew
            connection = sqlite3.connect(existing, uri=True, timeout=5, isolation_level=None, check_same_thread=False)
            self._open.append(connection)
            self._mine.connection, self._mine.identity = connection, identity
            connection.execute("PRAGMA synchronous=FULL")
        mine: sqlite3.Connection = self._mine.connection
        return mine

    def read(self, not_older_than: str = "") -> StoredObject:  # noqa: ARG002 the newest costs no more
        """Read the row."""
        try:
            row = (
                self._connection().execute("SELECT version, body FROM objects WHERE name = ?", (self._name,)).fetchone()
            )
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        if row is None:
            raise self._missing()
        return StoredObject(self._parsed(row[1])).at(str(row[0]))

    def _parsed(self, body: str) -> dict[str, Any]:
        """Return the object in a row; StoreUnreadable for one that another program wrote in another form."""
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError, TypeError) as error:
            sentence = f"{self.where}: the object {self._name!r} is not valid JSON ({error}): restore the file"
            raise StoreUnreadable(sentence) from None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("metadata"), dict):
            raise StoreUnreadable(f"{self.where}: the object {self._name!r} is no ConfigMap: restore the file")
        return parsed

    def _missing(self) -> StoreMissing:
        return StoreMissing(f"{self.where} has no object {self._name!r}: restore the file")

    def replace(self, changed: StoredObject) -> str:
        """Write the row if its version is still that of `changed`."""
        if not changed.version:
            raise ValueError("a replace without resourceVersion would overwrite any newer version")
        size = sum(len(text.encode("utf-8", "replace")) for text in changed.data.values())
        if size > VALUE_LIMIT:
            raise StoreRefused(f"{self.where}: the object's values take {size} bytes, more than {VALUE_LIMIT}")
        old, new = int(changed.version), int(changed.version) + 1
        body = self._as_json(changed)
        try:
            connection = self._connection()
            cursor = connection.execute(
                "UPDATE objects SET version = ?, body = ? WHERE name = ? AND version = ?", (new, body, self._name, old)
            )
            exists = cursor.rowcount == 1 or connection.execute(_EXISTS, (self._name,)).fetchone()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR"):
                raise AnswerLost(f"{self.where}: {error}") from error
            raise self._trouble(error) from error
        if not exists:
            raise self._missing()
        if cursor.rowcount != 1:
            raise Conflict(self.where)
        return str(new)

    def _as_json(self, stored: StoredObject) -> str:
        """Return the object as JSON; a long value that a write leaves unchanged is not escaped again."""
        values = (f"{json.dumps(key)}: {self._quote(key, text)}" for key, text in stored.data.items())
        rest = json.dumps({key: value for key, value in stored.body.items() if key != "data"})
        return f'{rest[:-1]}, "data": {{{", ".join(values)}}}}}'

    def _quote(self, key: str, text: str) -> str:
        known = self._quoted.get(key)
        if known is None or known[0] is not text:
            known = self._quoted[key] = text, json.dumps(text)
        return known[1]

    def wait_for_change(self, timeout: float) -> Change | None:
        """Check every 50 ms whether another connection wrote, in this or another process."""
        until = time.monotonic() + timeout
        while True:
            change = self._look()
            if change != self._last_seen:
                self._last_seen = change
                return change
            if time.monotonic() >= until or self._stopped.wait(POLL):
                return None

    def _look(self) -> Change:
        try:
            connection = self._connection()
            pulse = connection.execute("PRAGMA data_version").fetchone()[0]
            if self._last_seen and (pulse, connection) == getattr(self._mine, "pulse", None):
                return self._last_seen
            row = connection.execute("SELECT version FROM objects WHERE name = ?", (self._name,)).fetchone()
            self._mine.pulse = (pulse, connection)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return Change(str(row[0]) if row else "", {})

    def _file_missing(self) -> StoreMissing:
        return StoreMissing(f"{self.where} no longer exists: restore it")

    def _trouble(self, error: sqlite3.Error) -> StoreTrouble:
        if not self.path.exists():
            return self._file_missing()
        return StoreTrouble(f"{self.where}: {error}")

    def stop_waiting(self) -> None:
        """End the waiting."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._open:
            self._open.pop().close()


def _empty(name: str) -> dict[str, Any]:
    metadata = {"name": name, "uid": str(uuid.uuid4()), "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
