"""Every setting of the service, read once from the environment; a wrong value stops the start with a sentence."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any, ClassVar, Self

from cimaster import values
from cimaster.times import format_duration

PREFIX = "CIMASTER_"


class BadSetting(Exception):
    """A setting with a value that cannot be used; the message names the setting, the value and what is expected."""


def setting(meaning: str, default: object, parse: Callable[[str], Any], alias: str = "") -> Any:
    """Declare a setting: what it means, its default, how its text is read (ValueError says what is expected)."""
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "alias": alias})


def default_store(environ: Mapping[str, str]) -> str:
    """Return the store of a process that was told none: the ConfigMap in a pod, a file in the folder elsewhere."""
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else "sqlite:cimaster.db"


@dataclass(frozen=True)
class FromEnvironment:
    """Settings of a program or a part of one: each field is `<prefix><FIELD>` in the environment, and a flag."""

    prefix: ClassVar[str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting with a sentence for the first value that cannot be used."""
        environ = os.environ if environ is None else environ
        given = cls.found(environ) | {name: environ[name] for name, _ in cls.variables() if environ.get(name)}
        return cls(**{f.name: _parsed(f, name, given[name]) for name, f in cls.variables() if name in given})

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG003 it is for those that look there
        """Return the values that hold where nobody says otherwise, and that depend on where the process runs."""
        return {}

    def check(self) -> None:
        """Raise BadSetting where values that are right by themselves cannot work together."""

    @classmethod
    def variables(cls) -> "Iterator[tuple[str, Field[Any]]]":
        """Yield the settings in order, each with its environment variable."""
        return ((cls.prefix + f.name.upper(), f) for f in fields(cls))


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """What an operator can choose; each field is `CIMASTER_<FIELD>` in the environment and a flag of `serve`."""

    prefix: ClassVar[str] = PREFIX

    store: str = setting(
        "`sqlite:PATH`, or `kubernetes` (in-cluster, or `KUBECONFIG`)", "sqlite:cimaster.db", values.store
    )
    namespace: str = setting("namespace of the ConfigMap", "ci", values.dns_name)
    config_map: str = setting("name of the ConfigMap", "clusters", values.dns_name, "--cluster-config-map")
    host: str = setting("address to listen on", "127.0.0.1", values.any_text)
    port: int = setting("port of the API and the pages", 8080, values.port_number)
    metrics_port: int = setting("port of /metrics", 8090, values.port_number)
    admin_dir: str = setting("folder with the file `users`, the admins", "/botadmin", values.any_text, "--botAdminDir")
    auth: str = setting("who callers are: `open` believes the names they give", "open", values.auth)
    hold: timedelta = setting("how long a hold lasts if nobody says", timedelta(hours=6), values.duration)
    max_hold: timedelta = setting("the longest hold, extensions included", timedelta(hours=72), values.duration)
    overdue_after: timedelta = setting("age at which a lease shows as overdue", timedelta(hours=8), values.duration)
    deadline: timedelta = setting(
        "longest time that a change may take to be written", timedelta(seconds=20), values.wait
    )
    threads: int = setting("requests served at once by a replica", 200, values.thread_count)
    waiters: int = setting(
        "callers that a replica keeps connected while they wait for a cluster, beside those", 300, values.waiter_count
    )
    connections_per_address: int = setting(
        "connections of one address that may keep the service waiting; beyond that the oldest of them is closed",
        100,
        values.connection_count,
    )
    core: str = setting(
        "processor core that serves: `any` picks one, a number names it, `all` lets the system move threads",
        "any",
        values.core,
    )
    ignored_parameters: tuple[str, ...] = setting(
        "unknown parameters to ignore (and count) while scripts are mended, separated by commas", (), values.words
    )
    trusted_origins: tuple[str, ...] = setting(
        "other sites whose pages may send changes, such as `https://portal.example.com`", (), values.origins
    )
    public_url: str = setting(
        "where people reach the service, such as `https://ci.example.com/cimaster`, where that is behind a proxy",
        "",
        values.public_url,
    )
    hosts: tuple[str, ...] = setting(
        "further names under which browsers may reach the service, such as `cimaster.example.com`", (), values.hosts
    )
    trusted_proxies: tuple[values.Network, ...] = setting(
        "networks of the proxies whose `X-Forwarded-For` says where a caller is, such as `10.0.0.0/8`",
        (),
        values.networks,
    )
    provisioner: str = setting(
        "what creates clusters: `manual-trigger` (it is, where its address is set), `command`, or none",
        "",
        values.plugin,
    )
    default_prow_job: str = setting("job that creates a cluster where nobody names one", "", values.prow_name)
    creation: timedelta = setting("how long a cluster may take to be created", timedelta(hours=2), values.duration)
    manage_cluster: bool = setting(
        "`on`: policies keep a minimum of clusters vacant", False, values.switch, "--manageCluster"
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", values.level)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; BadSetting also for a key of k8s/'s ConfigMap that would be ignored, for its name."""
        twice = next((name for name in (os.environ if environ is None else environ) if name.startswith(2 * PREFIX)), "")
        if twice:
            key = twice.removeprefix(2 * PREFIX)
            raise BadSetting(
                f"{twice} is no setting: if it comes from the ConfigMap cimaster-settings, name the key {key} there, "
                f"because k8s/ puts {PREFIX} before each"
            )
        settings = super().from_environ(environ)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise BadSetting for two ports that are one, and for a hold that is longer than holds may be."""
        check_ports(self.prefix, self.port, self.metrics_port)
        if self.hold > self.max_hold:
            hold, most = format_duration(self.hold), format_duration(self.max_hold)
            raise BadSetting(
                f"{PREFIX}HOLD is {hold}, and {PREFIX}MAX_HOLD is {most}: make the first shorter, or the second longer"
            )

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the store of a process that was told none."""
        return {f"{PREFIX}STORE": default_store(environ)}


def check_ports(prefix: str, port: int, metrics_port: int) -> None:
    """Raise BadSetting where a program's two ports are one."""
    if port == metrics_port:
        raise BadSetting(f"{prefix}METRICS_PORT is {metrics_port}, as {prefix}PORT is: choose two different ports")


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


def add_flags(parser: argparse.ArgumentParser, prefix: str, variables: "Iterable[tuple[str, Field[Any]]]") -> None:
    """Give a command a flag for each setting, named as its variable is after the prefix; a switch needs no value."""
    for variable, each in variables:
        names = [
            "--" + variable.removeprefix(prefix).lower().replace("_", "-"),
            *filter(None, [each.metadata["alias"]]),
        ]
        meaning = f"{each.metadata['meaning']} (default: {default_text(each) or 'none'})".replace("%", "%%")
        may_be_bare, bare = ("?", "on") if isinstance(each.default, bool) else (None, None)
        parser.add_argument(*names, dest=variable, metavar="VALUE", help=meaning, nargs=may_be_bare, const=bare)


def put_in_environment(options: argparse.Namespace, prefix: str) -> None:
    """Hand settings given as flags on to the server process, which reads only the environment."""
    os.environ.update({name: text for name, text in vars(options).items() if name.startswith(prefix) and text})


def in_environment(name: str) -> bool:
    """Say whether a variable that is not ours (KUBECONFIG, a pod's service address) is set."""
    return bool(os.environ.get(name))


def inherited(*names: str) -> dict[str, str]:
    """Return those variables of the environment that a program of ours is to inherit, and nothing else."""
    return {name: os.environ[name] for name in names if name in os.environ}
