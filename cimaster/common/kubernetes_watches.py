"""Watches on objects of an API server: what they tell, and how soon one that ended at once is repeated."""

import json
import logging
from collections.abc import Generator
from typing import Any

import urllib3

from cimaster.common.backoff import Backoff
from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import FAILED, reason

_ODD = (ValueError, LookupError, TypeError, AttributeError)  # what reading raises where no API server has answered
_LASTED = 1.0  # seconds after which the end of a watch is nothing odd
_log = logging.getLogger(__name__)


class Watches:
    """Reads what watches tell, one watch after another, and says how long to rest between them.

    `cut` counts those that ended at once. One warning tells of a row of them.
    """

    def __init__(self, what: str, clock: Clock) -> None:
        self.cut = 0
        self._what = what
        self._clock = clock
        self._backoff = Backoff()
        self._began: float | None = None
        self._ending = ""

    def events(self, answer: urllib3.BaseHTTPResponse) -> Generator[tuple[str, dict[str, Any]]]:
        """Yield type and object of each event of a new watch, until that ends or is cut, for whatever reason."""
        self._began, self._ending = self._clock.monotonic(), ""
        rest = b""
        try:
            while chunk := answer.read1(1 << 16, decode_content=True):  # what is there, where `stream` waits for more
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        self._ending = f"the API server told of an error: {event['object']['message']}"[:300]
                        return
                    event["object"]["metadata"].get("name")
                    yield event["type"], event["object"]
        except (*FAILED, *_ODD) as error:
            self._ending = reason(error)
        finally:
            answer.close()

    def rest(self) -> float:
        """Return the seconds to rest before the next watch: more after each that ended at once, up to about one."""
        if self._began is None:
            return 0.0
        lasted, self._began = self._clock.monotonic() - self._began, None
        if lasted >= _LASTED:
            self._backoff.note_success()
            return 0.0
        self.cut += 1
        self._backoff.note_failure()
        if self._backoff.failures == 1:
            why = self._ending or "the API server or something before it closed it"
            _log.warning("a watch of %s ended after %.2f s, and is repeated with pauses: %s", self._what, lasted, why)
        return self._backoff.pause
