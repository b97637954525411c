"""Every setting of the service, read once from the environment; a wrong value stops the start with a sentence."""

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


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port number between 1 and 65535")
    return int(text)


def _threads(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 4 <= int(text) <= 512:
        raise ValueError("a number between 4 and 512")
    return int(text)


def read_origin(text: str) -> str:
    """Read where a server is: scheme, host and port."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]{1,255}", text):
        raise ValueError("an address such as http://10.1.2.3:8080, without a path")
    return text


def _core(text: str) -> str:
    if text not in ("any", "all") and not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError("'any', 'all' or the number of a core")
    return text


def read_duration(text: str) -> timedelta:
    """Read a duration."""
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


def read_word(text: str) -> str:
    """Read the name of a plug-in."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise ValueError("the name of a provisioner, such as manual-trigger")
    return text


def read_name(text: str) -> str:
    """Read the name of an organisation, a repository or a job of Prow's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", text):
        raise ValueError("a name of letters, digits, '.', '_' and '-', such as e2e-k8s-1.32")
    return text


def _switch(text: str) -> bool:
    if text.casefold() not in ("on", "off", "true", "false"):
        raise ValueError("'on' or 'off'")
    return text.casefold() in ("on", "true")


def read_text(text: str) -> str:
    """Read any text."""
    return text


def setting(meaning: str, default: object, parse: Callable[[str], Any], alias: str = "") -> Any:
    """Declare a setting: what it means, its default, how its text is read, another name for its flag."""
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "alias": alias})


def default_store(environ: Mapping[str, str]) -> str:
    """Return the store of a process that was told none: the ConfigMap in a pod, a file in the folder elsewhere."""
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else "sqlite:cimaster.db"


class FromEnvironment:
    """Settings that are read from environment variables: each field of the class is `<prefix><FIELD>`."""

    prefix: ClassVar[str] = PREFIX

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting with a sentence for the first value that cannot be used."""
        environ = os.environ if environ is None else environ
        return cls(**{f.name: _parsed(f, cls.variable(f), text) for f, text in cls._given(environ)})

    @classmethod
    def _given(cls, environ: Mapping[str, str]) -> "list[tuple[Field[Any], str]]":
        found = ((f, environ.get(cls.variable(f)) or _default_for(f, environ)) for f in cls.fields())
        return [(f, text) for f, text in found if text]

    @classmethod
    def fields(cls) -> "tuple[Field[Any], ...]":
        """Return the settings in order, for the flags of `serve` and for the test that the README lists them all."""
        return fields(cls)  # type: ignore[arg-type]

    @classmethod
    def variable(cls, field: "Field[Any]") -> str:
        """Return the environment variable of a setting."""
        return cls.prefix + field.name.upper()


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """What an operator can choose; each field is `CIMASTER_<FIELD>` in the environment and a flag of `serve`."""

    store: str = setting("`sqlite:PATH`, or `kubernetes` (in-cluster, or `KUBECONFIG`)", "sqlite:cimaster.db", _store)
    namespace: str = setting("namespace of the ConfigMap", "ci", _dns_name)
    config_map: str = setting("name of the ConfigMap", "clusters", _dns_name, "--cluster-config-map")
    host: str = setting("address to listen on", "127.0.0.1", read_text)
    port: int = setting("port of the API and the pages", 8080, _port)
    metrics_port: int = setting("port of /metrics", 8090, _port)
    admin_dir: str = setting("folder with the file `users`, the admins", "/botadmin", read_text, "--botAdminDir")
    auth: str = setting("who callers are: `open` believes the names they give", "open", _auth)
    hold: timedelta = setting("how long a hold lasts if nobody says", timedelta(hours=6), read_duration)
    max_hold: timedelta = setting("the longest hold, extensions included", timedelta(hours=72), read_duration)
    overdue_after: timedelta = setting("age at which a lease shows as overdue", timedelta(hours=8), read_duration)
    deadline: timedelta = setting(
        "longest time that a change may take to be written", timedelta(seconds=20), read_duration
    )
    peer: str = setting(
        "where other replicas reach this one, such as `http://10.1.2.3:8080`, to pass their changes on", "", read_origin
    )
    threads: int = setting("requests served at once by a replica", 200, _threads)
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
    provisioner: str = setting(
        "what creates clusters: `manual-trigger` (it is, where its address is set), `command`, or none", "", read_word
    )
    default_prow_job: str = setting("job that creates a cluster where nobody names one", "", read_name)
    creation: timedelta = setting("how long a cluster may take to be created", timedelta(hours=2), read_duration)
    manage_cluster: bool = setting(
        "`on`: policies keep a minimum of clusters vacant", False, _switch, "--manageCluster"
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", _log_level)


def _default_for(setting: "Field[Any]", environ: Mapping[str, str]) -> str:
    """Return the value that depends on where the process runs."""
    return default_store(environ) if setting.name == "store" else ""


def _parsed(setting: "Field[Any]", variable: str, text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        raise BadSetting(f"{variable} is {text!r}: expected {error}") from None


def default_text(setting: "Field[Any]") -> str:
    """Return a setting's default as it would be written in the environment."""
    default = setting.default
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, timedelta):
        return format_duration(default)
    return ",".join(default) if isinstance(default, tuple) else str(default)


def put_in_environment(values: Mapping[str, str]) -> None:
    """Hand settings given as flags on to the server process, which reads only the environment."""
    os.environ.update(values)


def in_environment(name: str) -> bool:
    """Say whether a variable that is not ours (KUBECONFIG, a pod's service address) is set."""
    return bool(os.environ.get(name))


def inherited(*names: str) -> dict[str, str]:
    """Return those variables of the environment that a program of ours is to inherit, and nothing else."""
    return {name: os.environ[name] for name in names if name in os.environ}
