"""The log of the application under test, as the service writes it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cimaster.common.logs import JSONFormatter


class WrittenLog:
    """What was logged in the meantime."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """The lines as they were written."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines, parsed."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def logged(name: str = "cimaster.request", level: int = logging.INFO) -> Iterator[WrittenLog]:
    """Record the lines of a logger, in the service's own format."""
    written = WrittenLog()
    handler = logging.StreamHandler(written.stream)
    handler.setFormatter(JSONFormatter())
    log = logging.getLogger(name)
    before = log.level
    log.addHandler(handler)
    log.setLevel(level)
    try:
        yield written
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
