"""Reads watches of an API server, and says how long to wait before repeating a watch that ended early."""

import json
import logging
from collections.abc import Generator
from typing import Any

import urllib3

from cimaster.common.backoff import Backoff
from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import FAILED, reason

_MALFORMED = (ValueError, LookupError, TypeError, AttributeError)  # raised by content that is not an API server's
_NORMAL_DURATION = 1.0  # seconds; a watch that ends earlier counts as cut
_log = logging.getLogger(__name__)


class Watches:
    """Reads one watch after another, and says how long to rest between them.

    `cut` counts watches that ended within a second; several in a row cause only one warning.
    """

    def __init__(self, what: str, clock: Clock) -> None:
        self.cut = 0
        self._what = what
        self._clock = clock
        self._backoff = Backoff()
        self._began: float | None = None
        self._ending = ""

    def events(self, answer: urllib3.BaseHTTPResponse) -> Generator[tuple[str, dict[str, Any]]]:
        """Yield type and object of each event of a new watch, until the watch ends for any reason."""
        self._began, self._ending = self._clock.monotonic(), ""
        rest = b""
        try:
            while chunk := answer.read1(
                1 << 16, decode_content=True
            ):  # returns what is there; `stream` would wait for more
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        self._ending = f"the API server reported an error: {event['object']['message']}"[:300]
                        return
                    event["object"]["metadata"].get("name")
                    yield event["type"], event["object"]
        except (*FAILED, *_MALFORMED) as error:
            self._ending = reason(error)
        finally:
            answer.close()

    def rest(self) -> float:
        """Return the seconds to rest before the next watch: a back-off up to about one second after cut watches."""
        if self._began is None:
            return 0.0
        lasted, self._began = self._clock.monotonic() - self._began, None
        if lasted >= _NORMAL_DURATION:
            self._backoff.note_success()
            return 0.0
        self.cut += 1
        self._backoff.note_failure()
        if self._backoff.failures == 1:
            why = self._ending or "the API server or a proxy closed it"
            _log.warning("a watch of %s ended after %.2f s, and is repeated with pauses: %s", self._what, lasted, why)
        return self._backoff.pause
