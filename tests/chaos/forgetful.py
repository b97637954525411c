"""A replica that does not recognise its own writes: what the judge of a storm must find out."""

from unittest.mock import patch

from cimaster.app import served
from cimaster.repository.stores.port import StoredObject
from cimaster.repository.write_attempts import Attempts, Decision
from cimaster.settings import Settings

_observe = Attempts.observe


def _forget(self: Attempts, stored: StoredObject) -> list[Decision]:
    others = {key: text for key, text in stored.annotations.items() if key != self.slot}
    return _observe(self, stored.replaced(stored.data, others))


patch.object(Attempts, "observe", _forget).start()

app = served(Settings.from_environ())
