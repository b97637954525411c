"""Reads the settings of a program from the environment; a wrong value stops the start with a sentence."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any, ClassVar, Self

from cimaster.common.times import format_duration


class BadSetting(Exception):
    """A setting whose value cannot be used; the message names the setting, the value and what is expected."""


def setting(meaning: str, default: object, parse: Callable[[str], Any], alias: str = "") -> Any:
    """Declare a setting: its meaning, default, parser (whose ValueError says what is expected) and a second flag."""
    return field(default=default, metadata={"meaning": meaning, "parse": parse, "alias": alias})


@dataclass(frozen=True)
class FromEnvironment:
    """Settings of a program or a part of one: each field is `<prefix><FIELD>` in the environment, and a flag."""

    prefix: ClassVar[str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting with a sentence for the first value that cannot be used."""
        environ = os.environ if environ is None else environ
        texts = cls.detected(environ) | {name: environ[name] for name, _ in cls.variables() if environ.get(name)}
        return cls(**{f.name: _parsed(f, name, texts[name]) for name, f in cls.variables() if name in texts})

    @classmethod
    def detected(cls, _environ: Mapping[str, str], /) -> dict[str, str]:
        """Return the defaults that depend on where the process runs."""
        return {}

    def check(self) -> None:
        """Raise BadSetting if values cannot be used together, or not in this environment."""

    @classmethod
    def variables(cls) -> "Iterator[tuple[str, Field[Any]]]":
        """Yield the settings in order, each with its environment variable."""
        return ((cls.prefix + f.name.upper(), f) for f in fields(cls))


def check_ports(prefix: str, port: int, metrics_port: int) -> None:
    """Raise BadSetting if both ports of a program are the same."""
    if port == metrics_port:
        raise BadSetting(
            f"{prefix}METRICS_PORT is {metrics_port}, the same as {prefix}PORT: choose two different ports"
        )


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
    """Add a flag for each setting, named like its variable without the prefix; a switch needs no value."""
    for variable, each in variables:
        names = [
            "--" + variable.removeprefix(prefix).lower().replace("_", "-"),
            *filter(None, [each.metadata["alias"]]),
        ]
        meaning = f"{each.metadata['meaning']} (default: {default_text(each) or 'none'})".replace("%", "%%")
        nargs, without_value = ("?", "on") if isinstance(each.default, bool) else (None, None)
        parser.add_argument(*names, dest=variable, metavar="VALUE", help=meaning, nargs=nargs, const=without_value)


def put_in_environment(options: argparse.Namespace, prefix: str) -> None:
    """Pass settings from flags to the server process, which reads only the environment."""
    os.environ.update({name: text for name, text in vars(options).items() if name.startswith(prefix) and text})


def names_in_environment() -> Iterable[str]:
    """Return the names of all environment variables."""
    return os.environ.keys()


def in_environment(name: str) -> bool:
    """Say whether a variable that is not ours (KUBECONFIG, a pod's service address) is set."""
    return bool(os.environ.get(name))


def inherited(*names: str) -> dict[str, str]:
    """Return those of these variables that are set, for a child process or a library."""
    return {name: os.environ[name] for name in names if name in os.environ}
