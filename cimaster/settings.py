"""Every setting of the service, read once from the environment; a wrong value stops the start with a sentence."""

import argparse
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any, ClassVar, Self

from cimaster.times import format_duration, parse_duration

PREFIX = "CIMASTER_"
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class BadSetting(Exception):
    """A setting with a value that cannot be used; the message names the setting, the value and what is expected."""


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


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]{1,255}", text):
        raise ValueError("an address such as http://10.1.2.3:8080, without a path")
    return text


def _core(text: str) -> str:
    if text not in ("any", "all") and not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError("'any', 'all' or the number of a core")
    return text


def duration(text: str) -> timedelta:
    """Read a duration."""
    read = parse_duration(text)
    if read is None:
        raise ValueError("a duration such as 90s, 30m, 6h or 2d")
    return read


def _store(text: str) -> str:
    if text != "kubernetes" and not (text.startswith("sqlite:") and len(text) > len("sqlite:")):
        raise ValueError("'kubernetes' or 'sqlite:PATH'")
    return text


def dns_name(text: str) -> str:
    """Read the name of a Kubernetes object."""
    if not _DNS_NAME.fullmatch(text):
        raise ValueError("a Kubernetes name: lower case letters, digits, '-' and '.'")
    return text


def _auth(text: str) -> str:
    if text != "open":
        raise ValueError("'open' (callers say who they are); 'required' is not built yet")
    return text


def level(text: str) -> str:
    """Read a log level."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def any_text(text: str) -> str:
    """Take any text as it is."""
    return text


def setting(meaning: str, default: object, parse: Callable[[str], Any], alias: str = "") -> Any:
    """Declare a setting: what it means, its default, and how its text is read (ValueError says what is expected)."""
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "alias": alias})


def default_store(environ: Mapping[str, str]) -> str:
    """Return the store of a process that was told none: the ConfigMap in a pod, a file in the folder elsewhere."""
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else "sqlite:cimaster.db"


@dataclass(frozen=True)
class FromEnvironment:
    """Settings of a process: each field is `<prefix><FIELD>` in the environment and a flag of its command."""

    prefix: ClassVar[str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting with a sentence for the first value that cannot be used."""
        environ = os.environ if environ is None else environ
        names = {f.name: cls.prefix + f.name.upper() for f in fields(cls)}
        given = cls.found(environ) | {name: environ[key] for name, key in names.items() if environ.get(key)}
        return cls(**{f.name: _parsed(f, given[f.name], names[f.name]) for f in fields(cls) if f.name in given})

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG003 it is for those that look there
        """Return the values that hold where nobody says otherwise, and that depend on where the process runs."""
        return {}


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """What an operator can choose; each field is `CIMASTER_<FIELD>` in the environment and a flag of `serve`."""

    prefix: ClassVar[str] = PREFIX
    store: str = setting("`sqlite:PATH`, or `kubernetes` (in-cluster, or `KUBECONFIG`)", "sqlite:cimaster.db", _store)
    namespace: str = setting("namespace of the ConfigMap", "ci", dns_name)
    config_map: str = setting("name of the ConfigMap", "clusters", dns_name, "--cluster-config-map")
    host: str = setting("address to listen on", "127.0.0.1", any_text)
    port: int = setting("port of the API and the pages", 8080, port_number)
    metrics_port: int = setting("port of /metrics", 8090, port_number)
    admin_dir: str = setting("folder with the file `users`, the admins", "/botadmin", any_text, "--botAdminDir")
    auth: str = setting("who callers are: `open` believes the names they give", "open", _auth)
    hold: timedelta = setting("how long a hold lasts if nobody says", timedelta(hours=6), duration)
    max_hold: timedelta = setting("the longest hold, extensions included", timedelta(hours=72), duration)
    overdue_after: timedelta = setting("age at which a lease shows as overdue", timedelta(hours=8), duration)
    deadline: timedelta = setting("longest time that a change may take to be written", timedelta(seconds=20), duration)
    peer: str = setting(
        "where other replicas reach this one, such as `http://10.1.2.3:8080`, to pass their changes on", "", _origin
    )
    threads: int = setting("requests served at once by a replica", 200, thread_count)
    core: str = setting(
        "processor core that serves: `any` picks one, a number names it, `all` lets the system move threads",
        "any",
        _core,
    )
    ignored_parameters: tuple[str, ...] = setting(
        "unknown parameters to ignore (and count) while scripts are mended, separated by commas", (), _words
    )
    trusted_origins: tuple[str, ...] = setting(
        "other sites whose pages may send changes, such as `https://portal.example.com`", (), _words
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", level)

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the store of a process that was told none."""
        return {"store": default_store(environ)}


def _parsed(setting: "Field[Any]", text: str, name: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        raise BadSetting(f"{name} is {text!r}: expected {error}") from None


def setting_fields(kind: type[FromEnvironment] = Settings) -> "tuple[Field[Any], ...]":
    """Return the settings in order, for the flags of the command and for the test that the README lists them all."""
    return fields(kind)


def default_text(setting: "Field[Any]") -> str:
    """Return a setting's default as it would be written in the environment."""
    default = setting.default
    if isinstance(default, timedelta):
        return format_duration(default)
    if isinstance(default, bool):
        return "true" if default else "false"
    return ",".join(default) if isinstance(default, tuple) else str(default)


def add_flags(parser: argparse.ArgumentParser, kind: type[FromEnvironment]) -> None:
    """Give a command one flag for each setting."""
    for each in setting_fields(kind):
        names = [f"--{each.name.replace('_', '-')}", *filter(None, [each.metadata["alias"]])]
        meaning = f"{each.metadata['meaning']} (default: {default_text(each) or 'none'})"
        parser.add_argument(*names, dest=each.name, metavar="VALUE", help=meaning.replace("%", "%%"))


def put_in_environment(options: argparse.Namespace, kind: type[FromEnvironment]) -> None:
    """Hand settings given as flags on to the server process, which reads only the environment."""
    given = {each.name: getattr(options, each.name) for each in setting_fields(kind)}
    os.environ.update({kind.prefix + name.upper(): value for name, value in given.items() if value})


def in_environment(name: str) -> bool:
    """Say whether a variable that is not ours (KUBECONFIG, a pod's service address) is set."""
    return bool(os.environ.get(name))
