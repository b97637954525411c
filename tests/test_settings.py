"""Settings: read once from the environment, and a wrong value stops the start with a sentence."""

import os
import subprocess
import sys
from dataclasses import Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cimaster.common.settings import BadSetting, default_text
from cimaster.server_commands import parser
from cimaster.settings import PREFIX, Settings, default_store


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environ({}) == Settings()


def test_an_empty_value_counts_as_unset() -> None:
    assert Settings.from_environ({"CIMASTER_PORT": "", "CIMASTER_STORE": ""}) == Settings()


def test_every_setting_comes_from_the_environment() -> None:
    environment = {
        "CIMASTER_STORE": "sqlite:/data/pool.db",
        "CIMASTER_NAMESPACE": "lab",
        "CIMASTER_CONFIG_MAP": "pool",
        "CIMASTER_HISTORY_OBJECTS": "3",
        "CIMASTER_HOST": "0.0.0.0",
        "CIMASTER_PORT": "81",
        "CIMASTER_METRICS_PORT": "82",
        "CIMASTER_ADMIN_DIR": "/admins",
        "CIMASTER_AUTH": "required",
        "CIMASTER_TOKEN_FILE": "/etc/cimaster/auth/tokens",
        "CIMASTER_SERVICE_ACCOUNTS": "on",
        "CIMASTER_SESSION_KEY_FILE": "/etc/cimaster/auth/session-keys",
        "CIMASTER_PROXY_SECRET_FILE": "/etc/cimaster/auth/proxy-secret",
        "CIMASTER_PROXY_USER_HEADER": "X-Auth-Request-User",
        "CIMASTER_PROXY_EMAIL_HEADER": "X-Auth-Request-Email",
        "CIMASTER_PROXY_GROUPS_HEADER": "X-Auth-Request-Groups",
        "CIMASTER_ROLES_FILE": "/etc/cimaster/roles/roles",
        "CIMASTER_HOLD": "2h",
        "CIMASTER_MAX_HOLD": "1d",
        "CIMASTER_OVERDUE_AFTER": "90m",
        "CIMASTER_QUARANTINE_AFTER": "2",
        "CIMASTER_MAX_CLUSTERS_PER_JOB": "5",
        "CIMASTER_MAX_CLUSTERS_PER_PERSON": "4",
        "CIMASTER_DEADLINE": "5s",
        "CIMASTER_THREADS": "8",
        "CIMASTER_IGNORED_PARAMETERS": "a, b,c",
        "CIMASTER_TRUSTED_ORIGINS": "https://a.example https://b.example",
        "CIMASTER_LOG_LEVEL": "debug",
        "CIMASTER_CORE": "3",
        "CIMASTER_WAITERS": "20",
        "CIMASTER_CONNECTIONS_PER_ADDRESS": "7",
        "CIMASTER_PROVISIONER": "command",
        "CIMASTER_CHECKS_FILE": "/etc/cimaster/checks.ini",
        "CIMASTER_NOTICES_FILE": "/etc/cimaster/notices.ini",
        "CIMASTER_CREATION": "3h",
        "CIMASTER_DEFAULT_PROW_JOB": "e2e-k8s-1.32",
        "CIMASTER_MANAGE_CLUSTER": "true",
        "CIMASTER_TRUSTED_PROXIES": "10.0.0.0/8, fd00::1",
        "CIMASTER_HOSTS": "CI.example.com,other",
        "CIMASTER_PUBLIC_URL": "HTTPS://CI.example.com:443/cimaster/",
        "CIMASTER_USAGE_NAMES": "off",
        "CIMASTER_KUBECONFIG_URL": "https://vault.example.com:8443/ci/{cluster}?raw=1",
        "CIMASTER_JOB_URL": "http://prow/?job={job}",
        "CIMASTER_BUILD_URL": "https://prow.example.com/view/{job}/{build}#log",
        "CIMASTER_PRICES": "size=large:2.50, size=small:1",
    }
    assert set(environment) == {PREFIX + setting.name.upper() for setting in fields(Settings)}
    settings = Settings.from_environ(environment)
    assert (settings.store, settings.namespace, settings.config_map) == ("sqlite:/data/pool.db", "lab", "pool")
    assert settings.history_names == ("pool-history-00", "pool-history-01", "pool-history-02")
    assert (settings.port, settings.metrics_port, settings.threads) == (81, 82, 8)
    assert (settings.auth, settings.token_file) == ("required", "/etc/cimaster/auth/tokens")
    assert (settings.service_accounts, settings.proxy_user_header) == (True, "X-Auth-Request-User")
    assert (settings.core, settings.waiters, settings.connections_per_address) == ("3", 20, 7)
    assert (settings.hold, settings.max_hold) == (timedelta(hours=2), timedelta(days=1))
    assert (settings.overdue_after, settings.deadline) == (timedelta(minutes=90), timedelta(seconds=5))
    assert settings.ignored_parameters == ("a", "b", "c")
    assert settings.trusted_origins == ("https://a.example", "https://b.example")
    assert (settings.public_url, settings.hosts) == ("https://ci.example.com/cimaster", ("ci.example.com", "other"))
    assert settings.kubeconfig_url == "https://vault.example.com:8443/ci/{cluster}?raw=1"
    assert (settings.job_url, settings.build_url[-5:]) == ("http://prow/?job={job}", "}#log")
    assert settings.log_level == "DEBUG"
    assert (settings.provisioner, settings.default_prow_job) == ("command", "e2e-k8s-1.32")
    assert (settings.creation, settings.manage_cluster) == (timedelta(hours=3), True)
    assert (settings.history_objects, settings.usage_names) == (3, False)
    assert settings.prices == (("size", "large", 2.5), ("size", "small", 1.0))


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_the_default_as_text_is_read_as_the_default(setting: Field[Any]) -> None:
    text = default_text(setting)
    settings = Settings.from_environ({PREFIX + setting.name.upper(): text})
    assert getattr(settings, setting.name) == setting.default


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_every_setting_has_a_meaning(setting: Field[Any]) -> None:
    assert setting.metadata["meaning"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "0", "a port number between 1 and 65535"),
        ("PORT", "65536", "a port number"),
        ("PORT", "http", "a port number"),
        ("PORT", "\u0661", "a port number"),
        ("METRICS_PORT", "-1", "a port number"),
        ("THREADS", "3", "between 4 and 512"),
        ("THREADS", "9999", "between 4 and 512"),
        ("WAITERS", "701", "between 0 and 700"),
        ("CONNECTIONS_PER_ADDRESS", "0", "between 1 and 10000"),
        ("WAITERS", "-1", "between 0 and 700"),
        ("PRICES", "size=large", "labels with a price per hour"),
        ("HOLD", "6", "a duration such as 90s, 30m, 6h, 2d or 1h30m"),
        ("MAX_HOLD", "0h", "a duration"),
        ("DEADLINE", "20", "a duration"),
        ("DEADLINE", "30d", "at most 7d"),
        ("HOLD", "9999999d", "at most 36500d"),
        ("MAX_HOLD", "9999999d", "at most 36500d"),
        ("OVERDUE_AFTER", "36501d", "at most 36500d"),
        ("CREATION", "9999999d", "at most 36500d"),
        ("STORE", "postgres://x", "'kubernetes' or 'sqlite:PATH'"),
        ("STORE", "sqlite:", "'sqlite:PATH'"),
        ("STORE", "Kubernetes", "'kubernetes'"),
        ("NAMESPACE", "CI", "a Kubernetes name"),
        ("NAMESPACE", "../kube-system", "a Kubernetes name"),
        ("CONFIG_MAP", "a b", "a Kubernetes name"),
        ("PROXY_USER_HEADER", "X Forwarded", "the name of a header"),
        ("AUTH", "none", "'open'"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("PROVISIONER", "Prow!", "the name of a provisioner"),
        ("DEFAULT_PROW_JOB", "-x", "a name of letters"),
        ("MANAGE_CLUSTER", "maybe", "on or off"),
        ("JOB_URL", "https://prow.example.com/", "with {job} after the host"),
        ("JOB_URL", "javascript:alert('{job}')", "an address such as https://"),
        ("JOB_URL", "https://{job}.example.com/", "with {job} after the host"),
        ("JOB_URL", "https://prow.example.com/{job}/{build}", "with {job} after the host"),
        ("BUILD_URL", "https://prow.example.com/{job}/{build", "with {build} or {job} after the host"),
        ("BUILD_URL", "https://user@prow.example.com/{build}", "an address such as https://"),
        ("KUBECONFIG_URL", "https://vault.example.com/{name}", "with {cluster} after the host"),
        ("KUBECONFIG_URL", "https://vault.example.com/a b/{cluster}", "with {cluster} after the host"),
    ],
)
def test_a_wrong_value_is_reported_in_a_sentence(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadSetting) as error:
        Settings.from_environ({PREFIX + name: value})
    assert f"CIMASTER_{name} is {value!r}" in str(error.value)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"HOLD": "4d"}, "CIMASTER_HOLD is 4d, and CIMASTER_MAX_HOLD is 3d"),
        ({"MAX_HOLD": "5h"}, "CIMASTER_HOLD is 6h, and CIMASTER_MAX_HOLD is 5h"),
        ({"METRICS_PORT": "8080"}, "CIMASTER_METRICS_PORT is 8080, the same as CIMASTER_PORT"),
    ],
)
def test_values_that_cannot_work_together_are_reported_in_a_sentence(environment: dict[str, str], error: str) -> None:
    with pytest.raises(BadSetting, match=error):
        Settings.from_environ({PREFIX + name: value for name, value in environment.items()})


def test_an_unavailable_core_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "--check-config", "-c", "python:cimaster.gunicorn_conf"]
    environ = {**os.environ, "CIMASTER_CORE": "9999", "CIMASTER_STORE": f"sqlite:{tmp_path / 'pool.db'}"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "cimaster: CIMASTER_CORE is 9999: expected any, all or one of " in done.stderr


def test_a_key_that_k8s_would_prefix_twice_is_reported() -> None:
    with pytest.raises(BadSetting, match=r"CIMASTER_CIMASTER_PROW_URL is not a setting.* call the key PROW_URL"):
        Settings.from_environ({"CIMASTER_CIMASTER_PROW_URL": "http://manual-trigger:8081"})


def test_the_default_store_of_a_pod_is_the_config_map() -> None:
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert default_store(pod) == Settings.from_environ(pod).store == "kubernetes"
    assert Settings.from_environ({**pod, "CIMASTER_STORE": "sqlite:x.db"}).store == "sqlite:x.db"
    assert default_store({}) == "sqlite:cimaster.db"


def test_the_flags_of_the_first_service_are_accepted() -> None:
    aliases = {setting.metadata["alias"] for setting in fields(Settings)} - {""}
    assert aliases == {"--cluster-config-map", "--botAdminDir", "--manageCluster"}
    environment = ["--prow-url", "http://trigger:8080", "--default-prow-job", "e2e", "--manageCluster"]
    read = parser().parse_args(["serve", *environment])
    assert vars(read)["CIMASTER_PROW_URL"] == "http://trigger:8080"
    assert (vars(read)["CIMASTER_DEFAULT_PROW_JOB"], vars(read)["CIMASTER_MANAGE_CLUSTER"]) == ("e2e", "on")
