"""The settings of CIMaster."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self

from cimaster.common import parsers
from cimaster.common.settings import BadSetting, FromEnvironment, check_ports, names_in_environment, setting
from cimaster.common.times import format_duration

PREFIX = "CIMASTER_"


def default_store(environ: Mapping[str, str]) -> str:
    """Return the default store: the ConfigMap in a pod, a file in the current folder elsewhere."""
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
    history_objects: int = setting(
        "ConfigMaps that keep the archived history, named like `clusters-history-00`; the oldest is overwritten",
        8,
        parsers.number(2, 40, "a number from 2 to 40", digits=2),
    )
    host: str = setting("address to listen on", "127.0.0.1", parsers.any_text)
    port: int = setting("port of the API and the pages", 8080, parsers.port_number)
    metrics_port: int = setting("port of /metrics", 8090, parsers.port_number)
    admin_dir: str = setting("folder with the file `users`, the admins", "/botadmin", parsers.any_text, "--botAdminDir")
    auth: str = setting(
        "how callers are identified: `open` believes the names that they give, `required` demands a credential of "
        "each; if it is not set, `open` where only this machine can connect",
        "",
        parsers.auth,
    )
    token_file: str = setting("file with the hashes of callers' tokens", "", parsers.any_text)
    service_accounts: bool = setting(
        "`on`: accept tokens of Kubernetes service accounts for the audience `cimaster`", False, parsers.switch
    )
    session_key_file: str = setting("file with one or two keys that sign browsers' sessions", "", parsers.any_text)
    proxy_secret_file: str = setting(
        "file with the secret of the proxy that authenticates people, which it sends as `X-CIMaster-Proxy-Secret`",
        "",
        parsers.any_text,
    )
    proxy_user_header: str = setting(
        "header in which that proxy sends the user's name", "X-Forwarded-User", parsers.header_name
    )
    proxy_email_header: str = setting(
        "header in which it sends the user's e-mail address", "X-Forwarded-Email", parsers.header_name
    )
    proxy_groups_header: str = setting(
        "header in which it sends the user's groups", "X-Forwarded-Groups", parsers.header_name
    )
    roles_file: str = setting("file that says which callers have which roles", "", parsers.any_text)
    hold: timedelta = setting(
        "how long a hold lasts if the holder gives no duration", timedelta(hours=6), parsers.duration
    )
    max_hold: timedelta = setting("the longest hold, extensions included", timedelta(hours=72), parsers.duration)
    overdue_after: timedelta = setting("age at which a lease shows as overdue", timedelta(hours=8), parsers.duration)
    quarantine_after: int = setting(
        "failures in a row after which a cluster is quarantined (an error counts double); 0: never",
        3,
        parsers.number(0, 5, "a number from 0 to 5", digits=1),
    )
    max_clusters_per_job: int = setting(
        "clusters that the builds of one job may have at the same time; 0: no limit",
        0,
        parsers.number(0, 1000, "a number from 0 to 1000", digits=4),
    )
    max_clusters_per_person: int = setting(
        "clusters that one person may hold at the same time; 0: no limit",
        0,
        parsers.number(0, 1000, "a number from 0 to 1000", digits=4),
    )
    deadline: timedelta = setting(
        "the longest time that a caller waits for its change to be written", timedelta(seconds=20), parsers.wait
    )
    threads: int = setting("requests that a replica answers concurrently", 200, parsers.thread_count)
    waiters: int = setting(
        "further callers that a replica keeps connected while they wait for a cluster", 300, parsers.waiter_count
    )
    connections_per_address: int = setting(
        "connections of one address that may be open without being idle; beyond that, the oldest is closed",
        100,
        parsers.connection_count,
    )
    core: str = setting(
        "processor core of the service: `any` chooses one, a number names one, `all` uses all",
        "any",
        parsers.core,
    )
    ignored_parameters: tuple[str, ...] = setting(
        "unknown parameters to ignore (and count) until scripts are corrected, separated by commas", (), parsers.words
    )
    trusted_origins: tuple[str, ...] = setting(
        "other sites whose pages may send changes, such as `https://portal.example.com`", (), parsers.origins
    )
    public_url: str = setting(
        "address of the service for browsers behind a proxy, such as `https://ci.example.com/cimaster`",
        "",
        parsers.public_url,
    )
    hosts: tuple[str, ...] = setting(
        "further host names of the service for browsers, such as `cimaster.example.com`", (), parsers.hosts
    )
    kubeconfig_url: str = setting(
        "where people find the kubeconfig of a cluster, such as `https://vault.example.com/ci/{cluster}`",
        "",
        parsers.link_template("cluster"),
    )
    job_url: str = setting(
        "the page of a job in the CI system, such as `https://prow.example.com/?job={job}`",
        "",
        parsers.link_template("job"),
    )
    build_url: str = setting(
        "the page of a build in the CI system, such as `https://prow.example.com/view/{job}/{build}`",
        "",
        parsers.link_template("build", "job"),
    )
    trusted_proxies: tuple[parsers.Network, ...] = setting(
        "networks of the proxies whose `X-Forwarded-For` gives the caller's address, such as `10.0.0.0/8`",
        (),
        parsers.networks,
    )
    provisioner: str = setting(
        "what creates clusters: `manual-trigger` (the default if `CIMASTER_PROW_URL` is set), `command` or `none`",
        "",
        parsers.plugin,
    )
    checks_file: str = setting("file that defines how clusters can be checked and cleaned", "", parsers.any_text)
    notices_file: str = setting("file that defines where notices are sent", "", parsers.any_text)
    default_prow_job: str = setting("job that creates a cluster if the request names none", "", parsers.prow_name)
    creation: timedelta = setting("how long a cluster may take to be created", timedelta(hours=2), parsers.duration)
    manage_cluster: bool = setting(
        "`on`: create clusters automatically so that the policies' minimum stays vacant",
        False,
        parsers.switch,
        "--manageCluster",
    )
    usage_names: bool = setting("`off`: usage tells nothing about people", True, parsers.switch)
    prices: tuple[parsers.Price, ...] = setting(
        "what an hour of a cluster costs, by its label, such as `size=large:2.50,size=small:0.80`", (), parsers.prices
    )
    log_level: str = setting("DEBUG, INFO, WARNING or ERROR", "INFO", parsers.level)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raise BadSetting for a wrong value or a wrong key in the ConfigMap of k8s/."""
        doubled = next(
            (name for name in (names_in_environment() if environ is None else environ) if name.startswith(2 * PREFIX)),
            "",
        )
        if doubled:
            key = doubled.removeprefix(2 * PREFIX)
            raise BadSetting(
                f"{doubled} is not a setting: if it comes from the ConfigMap cimaster-settings, call the key {key}, "
                f"because k8s/ adds {PREFIX} to each key"
            )
        settings = super().from_environ(environ)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise BadSetting if both ports are the same, or a hold would be longer than the longest hold."""
        check_ports(self.prefix, self.port, self.metrics_port)
        if self.hold > self.max_hold:
            hold, most = format_duration(self.hold), format_duration(self.max_hold)
            raise BadSetting(
                f"{PREFIX}HOLD is {hold}, and {PREFIX}MAX_HOLD is {most}: shorten the first or raise the second"
            )

    @property
    def history_names(self) -> tuple[str, ...]:
        """The names of the objects that keep the archived history."""
        return tuple(f"{self.config_map}-history-{number:02}" for number in range(self.history_objects))

    @classmethod
    def detected(cls, environ: Mapping[str, str], /) -> dict[str, str]:
        """Return the default store, which depends on whether the process runs in a pod."""
        return {f"{PREFIX}STORE": default_store(environ)}
