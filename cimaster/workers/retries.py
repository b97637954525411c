"""Writes whose result must not be lost because the store is away for a while."""

import logging
import threading
from collections.abc import Callable

from cimaster.errors import StoreTrouble

_PAUSE = 1.0  # seconds between two tries
_log = logging.getLogger(__name__)


def retry_until_written(what: str, write: Callable[[], object], stopping: threading.Event) -> None:
    """Retry a write until the store is available; `what` names it in the log.

    If the process stops first, the write is given up: the claim that it belongs to expires.
    """
    while True:
        try:
            write()
        except StoreTrouble as trouble:
            _log.warning("%s is not written yet: %s", what, trouble)
            if stopping.wait(_PAUSE):
                return
        else:
            return
