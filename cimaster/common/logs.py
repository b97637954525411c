"""Formats log records as JSON lines, with the correlation id, the address and the caller of their request."""

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
remote: ContextVar[str] = ContextVar("remote", default="")
NO_CALLER: Mapping[str, str] = MappingProxyType({})
caller: ContextVar[Mapping[str, str]] = ContextVar("caller", default=NO_CALLER)
"""The authenticated caller of the request, by `caller` (the name) and `source` (how it was authenticated)."""
_ENCODER = json.JSONEncoder(default=str)
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JSONFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, the request, and members of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if correlation_id.get():
            line |= {"request": correlation_id.get(), "remote": remote.get(), **caller.get()}
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def configuration(level: str) -> dict[str, Any]:
    """Return the logging configuration of the process, for gunicorn's own loggers too.

    It also switches off looking up what no line shows, as Python's documentation recommends.
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JSONFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": ["stderr"], "propagate": False},
            "urllib3": {"level": "WARNING" if level != "DEBUG" else "INFO"},
            "kubernetes": {"level": "WARNING" if level != "DEBUG" else "INFO"},
        },
    }
