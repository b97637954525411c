"""Reads Prow's configuration from Deck's /config or a file, with limits for its size and for the time it takes."""

import time
from pathlib import Path

import requests

from cimaster.manual_trigger.errors import ConfigurationInvalid, ConfigurationUnreachable

_SIZE_LIMIT = 64 * 1024 * 1024  # bytes; the largest known installation has about 20 MB
_TIME_OUTS = (3, 10)  # seconds to connect, and between two bytes
_DOWNLOAD_LIMIT = 30.0  # seconds for the whole download


def fetch(location: str) -> bytes:
    """Return the configuration's text; raise ConfigurationUnreachable, or ConfigurationInvalid if it is too large."""
    try:
        return _download(location) if "://" in location else _file(Path(location))
    except requests.RequestException as error:
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise _unreachable(location, f"{type(error).__name__}: {reason}"[:300]) from None
    except OSError as error:
        raise _unreachable(location, error.strerror or "it cannot be read") from None


def _unreachable(location: str, reason: str) -> ConfigurationUnreachable:
    return ConfigurationUnreachable(
        f"Prow's configuration at {location} cannot be read: {reason}; repeat the request in 10 s", retry_after=10
    )


def _download(address: str) -> bytes:
    deadline = time.monotonic() + _DOWNLOAD_LIMIT
    with requests.get(address, timeout=_TIME_OUTS, stream=True, headers={"Accept": "*/*"}) as answer:
        if answer.status_code != 200:
            raise _unreachable(address, f"it answered {answer.status_code}")
        text = bytearray()
        for chunk in answer.iter_content(1 << 16):
            text += chunk
            if len(text) > _SIZE_LIMIT:
                raise _too_large(address)
            if time.monotonic() > deadline:
                raise _unreachable(address, f"it took longer than {_DOWNLOAD_LIMIT:.0f} s")
        return bytes(text)


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(_SIZE_LIMIT + 1)
    if len(text) > _SIZE_LIMIT:
        raise _too_large(str(path))
    return text


def _too_large(location: str) -> ConfigurationInvalid:
    limit = f"{_SIZE_LIMIT >> 20} MB"
    return ConfigurationInvalid(f"the configuration at {location} is larger than {limit}: make it smaller")
