"""Where Prow's configuration comes from: Deck's /config, or a file; with an end to its size and to the waiting."""

import time
from pathlib import Path

import requests

from cimaster.manual_trigger.errors import ConfigurationInvalid, ConfigurationUnreachable

_LARGEST = 64 * 1024 * 1024  # bytes; the largest known installation has some 20 MB
_TIMES = (3, 10)  # seconds to connect, and between two bytes
_WHOLE = 30.0  # seconds for all of it


def fetch(where: str) -> bytes:
    """Return the configuration's text; ConfigurationUnreachable, or ConfigurationInvalid if it is too large."""
    try:
        return _download(where) if "://" in where else _file(Path(where))
    except requests.RequestException as error:
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise _unreachable(where, f"{type(error).__name__}: {reason}"[:300]) from None
    except OSError as error:
        raise _unreachable(where, error.strerror or "it cannot be read") from None


def _unreachable(where: str, reason: str) -> ConfigurationUnreachable:
    return ConfigurationUnreachable(f"Prow's configuration at {where} cannot be read: {reason}", retry_after=10)


def _download(address: str) -> bytes:
    deadline = time.monotonic() + _WHOLE
    with requests.get(address, timeout=_TIMES, stream=True, headers={"Accept": "*/*"}) as answer:
        if answer.status_code != 200:
            raise _unreachable(address, f"it answered {answer.status_code}")
        text = bytearray()
        for chunk in answer.iter_content(1 << 16):
            text += chunk
            if len(text) > _LARGEST:
                raise _too_large(address)
            if time.monotonic() > deadline:
                raise _unreachable(address, f"it took longer than {_WHOLE:.0f} s")
        return bytes(text)


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise _too_large(str(path))
    return text


def _too_large(where: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"what {where} has is larger than {_LARGEST >> 20} MB")
