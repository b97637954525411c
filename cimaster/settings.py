"""Every setting of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self

from cimaster.common import parsers
from cimaster.common.settings import BadSetting, FromEnvironment, check_ports, names_in_environment, setting
from cimaster.common.times import format_duration

PREFIX = "CIMASTER_"


def default_store(environ: Mapping[str, str]) -> str:
    """Return the store of a process that was told none: the ConfigMap in a pod, a file in the folder elsewhere."""
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in environ else "sqlite:cimaster.db"


@dataclass(frozen=True)
class Settings(FromEnvironment):
    """What an operator can choose; each field is `CIMASTER_<FIELD>` in the environment and a flag of `serve`."""

    prefix: ClassVar[str] = PREFIX

    store: str = setting(
        "`sqlite:PATH`, or `kubernetes` (in-cluster, or `KUBECONFIG`)", "sqlite:cimaster.db", parsers.store
    )
    namespace: str = setting("namespace of the ConfigMap", "ci", parsers.dns_name)
    config_map: str = setting("name of the ConfigMap", "clusters", parsers.dns_name, "--cluster-config-map")
    host: str = setting("address to listen on", "127.0.0.1", parsers.any_text)
    port: int = setting("port of the API and the pages", 8080, parsers.port_number)
    metrics_port: int = setting("port of /metrics", 8090, parsers.port_number)
    admin_dir: str = setting("folder with the file `users`, the admins", "/botadmin", parsers.any_text, "--botAdminDir")
    auth: str = setting("who callers are: `open` believes the names they give", "open", parsers.auth)
    hold: timedelta = setting("how long a hold lasts if nobody says", timedelta(hours=6), parsers.duration)
    max_hold: timedelta = setting("the longest hold, extensions included", timedelta(hours=72), parsers.duration)
    overdue_after: timedelta = setting("age at which a lease shows as overdue", timedelta(hours=8), parsers.duration)
    deadline: timedelta = setting(
        "longest time that a change may take to be written", timedelta(seconds=20), parsers.wait
    )
    threads: int = setting("requests served at once by a replica", 200, parsers.thread_count)
    waiters: int = setting(
        "callers that a replica keeps connected while they wait for a cluster, beside those", 300, parsers.waiter_count
    )
    connections_per_address: int = setting(
        "connections of one address that may keep the service waiting; beyond that the oldest of them is closed",
        100,
        parsers.connection_count,
    )
    core: str = setting(
        "processor core that serves: `any` picks one, a number names it, `all` lets the system move threads",
        "any",
        parsers.core,
    )
    ignored_parameters: tuple[str, ...] = setting(
        "unknown parameters to ignore (and count) while scripts are mended, separated by commas", (), parsers.words
    )
    trusted_origins: tuple[str, ...] = setting(
        "other sites whose pages may send changes, such as `https://portal.example.com`", (), parsers.origins
    )
    public_url: str = setting(
        "where people reach the service, such as `https://ci.example.com/cimaster`, where that is behind a proxy",
        "",
        parsers.public_url,
    )
    hosts: tuple[str, ...] = setting(
        "further names under which browsers may reach the service, such as `cimaster.example.com`", (), parsers.hosts
    )
    trusted_proxies: tuple[parsers.Network, ...] = setting(
        "networks of the proxies whose `X-Forwarded-For` says where a caller is, such as `10.0.0.0/8`",
        (),
        parsers.networks,
    )
    provisioner: str = setting(
        "what creates clusters: `manual-trigger` (it is, where its address is set), `command`, or none",
        "",
        parsers.plugin,
    )
    default_prow_job: str = setting("job that creates a cluster where nobody names one", "", parsers.prow_name)
    creation: timedelta = setting("how long a cluster may take to be created", timedelta(hours=2), parsers.duration)
    manage_cluster: bool = setting(
        "`on`: policies keep a minimum of clusters vacant", False, parsers.switch, "--manageCluster"
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", parsers.level)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; BadSetting also for a key of k8s/'s ConfigMap that would be ignored, for its name."""
        twice = next(
            (name for name in (names_in_environment() if environ is None else environ) if name.startswith(2 * PREFIX)),
            "",
        )
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
