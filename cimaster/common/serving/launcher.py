"""Starts gunicorn in place of the command line's process, so that signals reach it directly."""

import os
import sys
from typing import NoReturn


def become_gunicorn(configuration_module: str) -> NoReturn:
    """Replace this process with gunicorn, which reads its settings from that module."""
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", f"python:{configuration_module}"])  # noqa: S606
