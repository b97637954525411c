"""The caller's token: read from its file for each request, so that it may be replaced while a job runs."""

import re
from ipaddress import ip_address
from pathlib import Path

from cimaster.cli.errors import USAGE, ClientError

_LARGEST = 16_384  # bytes; a token of a service account with all its claims has about 1,500
_TOKEN = re.compile(r"[!-~]+")
_HASHED = "sha256:"


class TokenUnusable(ClientError):
    """There is no token that may be sent; the message says why, and never contains the token."""

    exit_status = USAGE


class TokenFile:
    """A file whose only line is a token."""

    def __init__(self, path: str) -> None:
        self.path = str(Path(path).absolute())

    def read(self) -> str:
        """Return the token; raise TokenUnusable if the file cannot be read or does not hold one."""
        try:
            with Path(self.path).open("rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise TokenUnusable(f"cannot read the token file {self.path}: {error.strerror}") from None
        token = content.decode("ascii", "replace").strip()
        if token.startswith(_HASHED):
            raise TokenUnusable(f"{self.path} is the service's list of hashed tokens: name a file with your own token")
        if len(content) > _LARGEST or not _TOKEN.fullmatch(token):
            raise TokenUnusable(f"{self.path} holds no token: write the token into it, on one line and without blanks")
        return token


def is_loopback(host: str) -> bool:
    """Say whether requests to a host stay on this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
