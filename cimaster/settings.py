"""Every setting of the service, read once from the environment; a wrong value stops the start with a sentence."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any

from cimaster.times import format_duration, parse_duration

PREFIX = "CIMASTER_"
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class BadSetting(Exception):
    """A setting with a value that cannot be used; the message names the setting, the value and what is expected."""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port number between 1 and 65535")
    return int(text)


def _threads(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 4 <= int(text) <= 512:
        raise ValueError("a number between 4 and 512")
    return int(text)


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]{1,255}", text):
        raise ValueError("an address such as http://10.1.2.3:8080, without a path")
    return text


def _core(text: str) -> str:
    if text not in ("any", "all") and not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError("'any', 'all' or the number of a core")
    return text


def _duration(text: str) -> timedelta:
    duration = parse_duration(text)
    if duration is None:
        raise ValueError("a duration such as 90s, 30m, 6h or 2d")
    return duration


def _store(text: str) -> str:
    if text != "kubernetes" and not (text.startswith("sqlite:") and len(text) > len("sqlite:")):
        raise ValueError("'kubernetes' or 'sqlite:PATH'")
    return text


def _dns_name(text: str) -> str:
    if not _DNS_NAME.fullmatch(text):
        raise ValueError("a Kubernetes name: lower case letters, digits, '-' and '.'")
    return text


def _auth(text: str) -> str:
    if text != "open":
        raise ValueError("'open' (callers say who they are); 'required' is not built yet")
    return text


def _log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def _text(text: str) -> str:
    return text


def _setting(meaning: str, default: object, parse: Callable[[str], Any], alias: str = "") -> Any:
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "alias": alias})


def default_store(environ: Mapping[str, str]) -> str:
    """Return the store of a process that was told none: the ConfigMap in a pod, a file in the folder elsewhere."""
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else "sqlite:cimaster.db"


@dataclass(frozen=True)
class Settings:
    """What an operator can choose; each field is `CIMASTER_<FIELD>` in the environment and a flag of `serve`."""

    store: str = _setting("`sqlite:PATH`, or `kubernetes` (in-cluster, or `KUBECONFIG`)", "sqlite:cimaster.db", _store)
    namespace: str = _setting("namespace of the ConfigMap", "ci", _dns_name)
    config_map: str = _setting("name of the ConfigMap", "clusters", _dns_name, "--cluster-config-map")
    host: str = _setting("address to listen on", "127.0.0.1", _text)
    port: int = _setting("port of the API and the pages", 8080, _port)
    metrics_port: int = _setting("port of /metrics", 8090, _port)
    admin_dir: str = _setting("folder with the file `users`, the admins", "/botadmin", _text, "--botAdminDir")
    auth: str = _setting("who callers are: `open` believes the names they give", "open", _auth)
    hold: timedelta = _setting("how long a hold lasts if nobody says", timedelta(hours=6), _duration)
    max_hold: timedelta = _setting("the longest hold, extensions included", timedelta(hours=72), _duration)
    overdue_after: timedelta = _setting("age at which a lease shows as overdue", timedelta(hours=8), _duration)
    deadline: timedelta = _setting(
        "longest time that a change may take to be written", timedelta(seconds=20), _duration
    )
    peer: str = _setting(
        "where other replicas reach this one, such as `http://10.1.2.3:8080`, to pass their changes on", "", _origin
    )
    threads: int = _setting("requests served at once by a replica", 200, _threads)
    core: str = _setting(
        "processor core that serves: `any` picks one, a number names it, `all` lets the system move threads",
        "any",
        _core,
    )
    ignored_parameters: tuple[str, ...] = _setting(
        "unknown parameters to ignore (and count) while scripts are mended, separated by commas", (), _words
    )
    trusted_origins: tuple[str, ...] = _setting(
        "other sites whose pages may send changes, such as `https://portal.example.com`", (), _words
    )
    log_level: str = _setting("DEBUG, INFO, WARNING or ERROR", "INFO", _log_level)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; raise BadSetting with a sentence for the first value that cannot be used."""
        environ = os.environ if environ is None else environ
        given = {f.name: environ[PREFIX + f.name.upper()] for f in fields(cls) if environ.get(PREFIX + f.name.upper())}
        given.setdefault("store", default_store(environ))
        return cls(**{f.name: _parsed(f, given[f.name]) for f in fields(cls) if f.name in given})


def _parsed(setting: "Field[Any]", text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        raise BadSetting(f"{PREFIX}{setting.name.upper()} is {text!r}: expected {error}") from None


def setting_fields() -> "tuple[Field[Any], ...]":
    """Return the settings in order, for the flags of `serve` and for the test that the README lists them all."""
    return fields(Settings)


def default_text(setting: "Field[Any]") -> str:
    """Return a setting's default as it would be written in the environment."""
    default = setting.default
    if isinstance(default, timedelta):
        return format_duration(default)
    return ",".join(default) if isinstance(default, tuple) else str(default)


def put_in_environment(values: Mapping[str, str]) -> None:
    """Hand settings given as flags on to the server process, which reads only the environment."""
    os.environ.update({PREFIX + name.upper(): text for name, text in values.items()})


def in_environment(name: str) -> bool:
    """Say whether a variable that is not ours (KUBECONFIG, a pod's service address) is set."""
    return bool(os.environ.get(name))
