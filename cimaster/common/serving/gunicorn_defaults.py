"""How both programs have gunicorn run."""

from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

_MEMORY = Path("/dev/shm")  # noqa: S108


class LoggerWithoutAccess(Logger):  # type: ignore[misc]
    """Leaves out gunicorn's access lines: the application logs each request itself, and knows more of it."""

    def access(self, *_: Any) -> None:
        """Say nothing."""


def heartbeat_folder() -> str | None:
    """Return where workers show that they live: on a slow disk a live one would look dead."""
    return str(_MEMORY) if _MEMORY.is_dir() else None
