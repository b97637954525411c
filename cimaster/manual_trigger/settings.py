"""The settings of the manual-trigger service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self
from urllib.parse import urlsplit

from cimaster.common import parsers, proxies
from cimaster.common.settings import BadSetting, FromEnvironment, check_ports, setting
from cimaster.common.times import format_duration, stored_duration

_RATE = re.compile(r"([1-9][0-9]{0,4})/(\S+)")
_wait = parsers.duration_up_to(timedelta(minutes=1))


@dataclass(frozen=True)
class Rate:
    """A number of jobs per period, written `10/1m`."""

    count: int
    per: timedelta

    def __str__(self) -> str:
        return f"{self.count}/{format_duration(self.per)}"


def _rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    per = stored_duration(match[2]) if match else None
    if match is None or per is None:
        raise ValueError("a number of jobs per period, such as 10/1m")
    return Rate(int(match[1]), per)


def _source(text: str) -> str:
    try:
        return parsers.address(text) if "://" in text else text
    except ValueError:
        raise ValueError(
            "the address of Deck's /config, such as http://deck.prow/config, or the path of a file"
        ) from None


@dataclass(frozen=True)
class TriggerSettings(FromEnvironment):
    """What an operator can choose; each field is `MANUAL_TRIGGER_<FIELD>` in the environment and a flag."""

    prefix: ClassVar[str] = "MANUAL_TRIGGER_"
    config: str = setting(
        "Prow's loaded configuration: the address of Deck's `/config`, or a file with the same content",
        "",
        _source,
    )
    status_url: str = setting(
        "Deck's address for browsers, used in links; the origin of the configuration if not given", "", parsers.address
    )
    namespace: str = setting(
        "namespace of the ProwJobs; the one in Prow's configuration if not given", "", parsers.dns_name
    )
    token_file: str = setting(
        "file with the callers' tokens or their hashes, one per line",
        "/etc/manual-trigger/tokens/tokens",
        parsers.any_text,
    )
    allow_file: str = setting(
        "file with the rules of which jobs may be started", "/etc/manual-trigger/rules/allow", parsers.any_text
    )
    host: str = setting("address to listen on", "127.0.0.1", parsers.any_text)
    port: int = setting("port of the API", 8081, parsers.port_number)
    metrics_port: int = setting("port of /metrics", 8091, parsers.port_number)
    reload_every: timedelta = setting("how often the configuration is read", timedelta(minutes=1), parsers.wait)
    wait: timedelta = setting("how long a request waits for the build id", timedelta(seconds=15), _wait)
    rate: Rate = setting("jobs that one user may start per period", Rate(10, timedelta(minutes=1)), _rate)
    threads: int = setting(
        "requests answered concurrently, including those that wait for a build id", 64, parsers.thread_count
    )
    connections_per_address: int = setting(
        "connections of one address that may be open without being idle; beyond that, the oldest is closed",
        100,
        parsers.connection_count,
    )
    repo_links: bool = setting(
        "`on` adds the repository's address to each ProwJob, for Git servers other than github.com",
        False,
        parsers.switch,
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", parsers.level)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting for a wrong or missing one."""
        settings = super().from_environ(environ)
        check_ports(cls.prefix, settings.port, settings.metrics_port)
        if not settings.config:
            raise BadSetting(
                f"{cls.prefix}CONFIG is not set: give the address of Deck's /config, such as http://deck.prow/config, "
                "or the path of a file with the same content"
            )
        if "://" in settings.config:
            proxies.check_route(settings.config)
        return settings

    @property
    def pages(self) -> str:
        """The address of Deck's pages; empty if the configuration is a file and `status_url` is not set."""
        if self.status_url or "://" not in self.config:
            return self.status_url
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.config))
