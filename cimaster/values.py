"""The forms that settings take: each function reads a text, or raises ValueError with what was expected."""

import ipaddress
import re
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

from cimaster.times import A_DURATION, parse_duration

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NOTHING, _PREFIX = re.compile(""), re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}){0,9}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(/[A-Za-z0-9._~/-]{0,500})?")


def any_text(text: str) -> str:
    """Take any text as it is."""
    return text


def words(text: str) -> tuple[str, ...]:
    """Read words between commas or blanks."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def networks(text: str) -> tuple[Network, ...]:
    """Read networks between commas or blanks; an address alone is a network of one."""
    try:
        return tuple(ipaddress.ip_network(word) for word in words(text))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, or addresses, separated by commas") from None


def switch(text: str) -> bool:
    """Read on or off."""
    if text.casefold() not in ("on", "off", "true", "false"):
        raise ValueError("on or off")
    return text.casefold() in ("on", "true")


def duration(text: str) -> timedelta:
    """Read a duration."""
    read = parse_duration(text)
    if read is None:
        raise ValueError(A_DURATION)
    return read


def port_number(text: str) -> int:
    """Read a port number."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port number between 1 and 65535")
    return int(text)


def thread_count(text: str) -> int:
    """Read a number of threads."""
    if not text.isascii() or not text.isdigit() or not 4 <= int(text) <= 512:
        raise ValueError("a number between 4 and 512")
    return int(text)


def waiter_count(text: str) -> int:
    """Read how many callers may wait."""
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 700:
        raise ValueError("a number between 0 and 700: nobody is kept, or so many")
    return int(text)


def connection_count(text: str) -> int:
    """Read how many connections an address may have."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise ValueError("a number between 1 and 10000")
    return int(text)


def core(text: str) -> str:
    """Read which processor core serves."""
    if text not in ("any", "all") and not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError("'any', 'all' or the number of a core")
    return text


def _split(text: str, *, path: bool) -> SplitResult:
    """Read an address as browsers write it: scheme and host in lower case, no usual port, no slash at the end."""
    parts = urlsplit(text)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if not usual or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(text)
    below = parts.path.rstrip("/")
    if not (_PREFIX if path else _NOTHING).fullmatch(below):
        raise ValueError(text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else host_name(parts.hostname)
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return SplitResult(parts.scheme, host + port, below, "", "")


def origins(text: str) -> tuple[str, ...]:
    """Read where pages may come from, between commas or blanks: scheme, host and port as browsers send them."""
    try:
        return tuple(_split(word, path=False).geturl() for word in words(text))
    except ValueError:
        raise ValueError("origins such as https://portal.example.com, without a path, separated by commas") from None


def public_url(text: str) -> str:
    """Read where people reach the service: scheme, host and maybe a path."""
    try:
        return _split(text, path=True).geturl()
    except ValueError:
        raise ValueError("an address such as https://ci.example.com/cimaster") from None


def host_name(text: str) -> str:
    """Read the name of a host."""
    if not _DNS_NAME.fullmatch(text.lower()):
        raise ValueError("the name of a host, such as cimaster.example.com")
    return text.lower()


def hosts(text: str) -> tuple[str, ...]:
    """Read names of hosts between commas or blanks."""
    try:
        return tuple(host_name(word) for word in words(text))
    except ValueError:
        raise ValueError("host names such as cimaster.example.com, without a port, separated by commas") from None


def address(text: str) -> str:
    """Read where a server is, maybe with a path."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address such as https://prow.example.com")
    return text.rstrip("/")


def store(text: str) -> str:
    """Read where the pool is kept."""
    if text != "kubernetes" and not (text.startswith("sqlite:") and len(text) > len("sqlite:")):
        raise ValueError("'kubernetes' or 'sqlite:PATH'")
    return text


def dns_name(text: str) -> str:
    """Read the name of a Kubernetes object."""
    if not _DNS_NAME.fullmatch(text):
        raise ValueError("a Kubernetes name: lower case letters, digits, '-' and '.'")
    return text


def auth(text: str) -> str:
    """Read how callers are told apart."""
    if text != "open":
        raise ValueError("'open' (callers say who they are); 'required' is not built yet")
    return text


def level(text: str) -> str:
    """Read a log level."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def plugin(text: str) -> str:
    """Read the name of a provisioner; whether there is one of that name is seen where it is chosen."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise ValueError("the name of a provisioner, such as manual-trigger")
    return text


def prow_name(text: str) -> str:
    """Read the name of an organisation, a repository or a job of Prow's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", text):
        raise ValueError("a name of letters, digits, '.', '_' and '-', such as e2e-k8s-1.32")
    return text
