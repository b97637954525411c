"""Parsers of settings: each function reads a text, or raises ValueError that says what is expected.

Parameters of requests use the functions that make parsers.
"""

import ipaddress
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from cimaster.common.times import A_DURATION, CENTURY, format_duration, parse_duration

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_DNS_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_NOTHING, _PREFIX = re.compile(""), re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}){0,9}")
_PRICE = re.compile(r"([^\s,=]{1,63})=([^\s,=]{1,63}):([0-9]{1,9}(?:\.[0-9]{1,4})?)", re.ASCII)
_LINK = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(?P<rest>[/?#][!-~]{0,1000})")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(/[A-Za-z0-9._~/-]{0,500})?")


def matching(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a parser of texts that match the pattern as a whole."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(expected)
        return text

    return read


def one_of(choices: Collection[str], expected: str = "") -> Callable[[str], str]:
    """Return a parser of one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(expected or f"one of {', '.join(choices)}")
        return text

    return read


def number(least: int, most: int, expected: str, digits: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers within these bounds, with at most `digits` digits."""

    def read(text: str) -> int:
        if not (
            text.isascii() and text.isdigit() and len(text) <= (digits or len(text)) and least <= int(text) <= most
        ):
            raise ValueError(expected)
        return int(text)

    return read


def flag(text: str) -> bool:
    """Read true or false."""
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


request_id = matching(r"[!-~]{1,128}", "1 to 128 printable ASCII characters without spaces, preferably a new uuid")


def any_text(text: str) -> str:
    """Accept any text."""
    return text


def words(text: str) -> tuple[str, ...]:
    """Read words that are separated by commas or blanks."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


class Price(NamedTuple):
    """What an hour of a cluster with a label costs."""

    key: str
    value: str
    per_hour: float


def prices(text: str) -> tuple[Price, ...]:
    """Read prices by label, separated by commas or blanks."""
    found = [_PRICE.fullmatch(word) for word in words(text)]
    if not all(found):
        raise ValueError("labels with a price per hour, such as size=large:2.50, separated by commas")
    return tuple(Price(match[1], match[2], float(match[3])) for match in found if match)


def networks(text: str) -> tuple[Network, ...]:
    """Read networks that are separated by commas or blanks; a single address is a network too."""
    try:
        return tuple(ipaddress.ip_network(word) for word in words(text))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, or addresses, separated by commas") from None


def switch(text: str) -> bool:
    """Read on or off."""
    if text.casefold() not in ("on", "off", "true", "false"):
        raise ValueError("on or off")
    return text.casefold() in ("on", "true")


def duration_up_to(most: timedelta) -> Callable[[str], timedelta]:
    """Return a parser of durations up to a maximum."""

    def read(text: str) -> timedelta:
        parsed = parse_duration(text)
        if parsed is None or parsed > most:
            raise ValueError(f"{A_DURATION}, at most {format_duration(most)}")
        return parsed

    return read


duration = duration_up_to(CENTURY)  # longer ones could overflow a time
wait = duration_up_to(timedelta(days=7))  # a socket's time-out is limited to 24 days
port_number = number(1, 65535, "a port number between 1 and 65535")
thread_count = number(4, 512, "a number between 4 and 512")
waiter_count = number(0, 700, "a number between 0 and 700")
connection_count = number(1, 10_000, "a number between 1 and 10000")


def core(text: str) -> str:
    """Read the choice of a processor core."""
    if text not in ("any", "all") and not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError("'any', 'all' or the number of a core")
    return text


def _split(text: str, *, path: bool) -> SplitResult:
    """Read an address as browsers write it: scheme and host in lower case, no default port, no slash at the end."""
    parts = urlsplit(text)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if not default or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(text)
    below = parts.path.rstrip("/")
    if not (_PREFIX if path else _NOTHING).fullmatch(below):
        raise ValueError(text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else host_name(parts.hostname)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return SplitResult(parts.scheme, host + port, below, "", "")


def origins(text: str) -> tuple[str, ...]:
    """Read origins of pages (scheme, host and port as browsers send them), separated by commas or blanks."""
    try:
        return tuple(_split(word, path=False).geturl() for word in words(text))
    except ValueError:
        raise ValueError("origins such as https://portal.example.com, without a path, separated by commas") from None


def public_url(text: str) -> str:
    """Read the address of the service for browsers: scheme, host and optionally a path."""
    try:
        return _split(text, path=True).geturl()
    except ValueError:
        raise ValueError("an address such as https://ci.example.com/cimaster") from None


def link_template(*names: str) -> Callable[[str], str]:
    """Return a parser of web addresses with these placeholders after the host, such as `https://…/{job}`."""
    placeholders = " or ".join(f"{{{name}}}" for name in names)
    expected = f"an address such as https://host.example.com/path/{{{names[0]}}}, with {placeholders} after the host"

    def read(text: str) -> str:
        match = _LINK.fullmatch(text)
        used = _PLACEHOLDER.findall(match["rest"]) if match else []
        if not used or not set(used) <= set(names) or set("{}") & set(_PLACEHOLDER.sub("", text)):
            raise ValueError(expected)
        return text

    return read


def host_name(text: str) -> str:
    """Read the name of a host."""
    if not re.fullmatch(_DNS_NAME, text.lower()):
        raise ValueError("the name of a host, such as cimaster.example.com")
    return text.lower()


def hosts(text: str) -> tuple[str, ...]:
    """Read names of hosts that are separated by commas or blanks."""
    try:
        return tuple(host_name(word) for word in words(text))
    except ValueError:
        raise ValueError("host names such as cimaster.example.com, without a port, separated by commas") from None


def address(text: str) -> str:
    """Read the address of a server, optionally with a path."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address such as https://prow.example.com")
    return text.rstrip("/")


def store(text: str) -> str:
    """Read the kind and place of the store."""
    if text != "kubernetes" and not (text.startswith("sqlite:") and len(text) > len("sqlite:")):
        raise ValueError("'kubernetes' or 'sqlite:PATH'")
    return text


dns_name = matching(_DNS_NAME, "a Kubernetes name: lower case letters, digits, '-' and '.'")
header_name = matching(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", "the name of a header, such as X-Forwarded-User")
auth = one_of(("open", "required"), "'open' (callers say who they are) or 'required' (each needs a credential)")


def level(text: str) -> str:
    """Read a log level."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()


plugin = matching(
    r"[a-z0-9-]{1,40}", "the name of a provisioner, such as manual-trigger"
)  # whether it exists is checked later
prow_name = matching(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", "a name of letters, digits, '.', '_' and '-', such as e2e-k8s-1.32"
)
