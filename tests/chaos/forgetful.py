"""A replica that does not recognize its own writes: the checker of a storm must notice."""

from unittest.mock import patch

from cimaster.app import served
from cimaster.repository.pending_changes import Decision
from cimaster.repository.stores.port import StoredObject
from cimaster.repository.write_attempts import WriteAttempts
from cimaster.settings import Settings

_observe = WriteAttempts.observe


def _forget(self: WriteAttempts, stored: StoredObject) -> list[Decision]:
    others = {key: text for key, text in stored.annotations.items() if key != self.slot}
    return _observe(self, stored.replaced(stored.data, others))


patch.object(WriteAttempts, "observe", _forget).start()

app = served(Settings.from_environ())
