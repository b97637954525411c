"""k8s/overlays/required: every credential has its place, nothing is granted by default, and its proxy fits to it."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimaster.common.settings import BadSetting
from cimaster.common.token_file import TokenFile
from cimaster.settings import Settings
from cimaster.web.identity import names, secret_file
from cimaster.web.identity.account_tokens import AUDIENCE
from cimaster.web.identity.authentication import check
from cimaster.web.identity.roles import Role, parse
from tests.docs import markdown
from tests.docs.commands import CLUSTER, commands
from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS, built, place

OVERLAY = MANIFESTS / "overlays" / "required"
PROXY = OVERLAY / "oauth2-proxy"
PROXY_NAME = "cimaster-oauth2-proxy"
PAGE = "docs/operations.md"


def manifest(folder: Any, kind: str, name: str = "cimaster") -> dict[str, Any]:
    """Return one manifest of a kustomization."""
    [found] = [each for each in built(folder) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(folder: Any, name: str = "cimaster") -> dict[str, Any]:
    """Return the pod of a Deployment."""
    found: dict[str, Any] = manifest(folder, "Deployment", name)["spec"]["template"]["spec"]
    return found


def variables(folder: Any) -> dict[str, str]:
    """Return the variables of the service with a literal value."""
    return {each["name"]: each["value"] for each in pod(folder)["containers"][0]["env"] if "value" in each}


def settings_of(folder: Any) -> Settings:
    """Return the settings of a pod."""
    return Settings.from_environ(variables(folder))


@pytest.mark.usefixtures("kube_access")  # the start needs an API server to ask about tokens of service accounts
@pytest.mark.parametrize(("folder", "mode"), [("", "open"), ("overlays/required", "required")])
def test_each_installation_chooses_the_mode_in_words(folder: str, mode: str) -> None:
    settings = settings_of(MANIFESTS / folder)
    check(settings)
    assert settings.auth == mode


def test_without_a_choice_of_the_mode_it_does_not_start() -> None:
    with pytest.raises(BadSetting, match="CIMASTER_AUTH is not set"):
        check(settings_of(MANIFESTS / "base"))


def test_the_overlay_sets_only_settings_that_exist() -> None:
    added = variables(OVERLAY).keys() - variables(MANIFESTS / "base").keys()
    assert added <= {name for name, _ in Settings.variables()}


def test_the_overlay_adds_and_never_removes() -> None:
    plain, required = pod(MANIFESTS / "base"), pod(OVERLAY)
    assert variables(MANIFESTS / "base").items() <= variables(OVERLAY).items()
    for entries in ("volumeMounts", "env"):
        assert all(each in required["containers"][0][entries] for each in plain["containers"][0][entries])
    assert all(volume in required["volumes"] for volume in plain["volumes"])


def test_every_file_of_a_credential_is_in_a_mounted_volume() -> None:
    mounts = {mount["mountPath"]: mount for mount in pod(OVERLAY)["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(OVERLAY)["volumes"]}
    added = variables(OVERLAY).items() - variables(MANIFESTS / "base").items()
    files = {value for name, value in added if name.endswith("_FILE")}
    assert len(files) == 3
    for file in files:
        mount = mounts[file.rpartition("/")[0]]
        assert mount["readOnly"] is True
        assert "subPath" not in mount  # or a changed file would never arrive
        assert volumes[mount["name"]]
    assert volumes["auth"]["secret"] == {"secretName": "cimaster-auth", "optional": True, "defaultMode": 0o440}


def roles() -> str:
    """Return the file of roles as it is shipped."""
    found: str = manifest(OVERLAY, "ConfigMap", "cimaster-roles")["data"]["roles"]
    return found


def test_the_shipped_roles_grant_nothing() -> None:
    assert roles()
    assert parse(roles()) == ()


def test_the_examples_of_roles_can_be_used() -> None:
    explained, examples = roles().split("Examples:")
    assert set(Role) == set(re.findall(r"^# ([a-z-]+)  +\w", explained, re.MULTILINE))
    assert {Role.CI, Role.PERSON, Role.ADMIN} < {line.role for line in parse(re.sub("^# ?", "", examples, flags=re.M))}


def test_the_two_cluster_wide_names_end_with_the_namespace() -> None:
    namespace = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())["namespace"]
    wide = [each for each in built(OVERLAY) if each["kind"].startswith("Cluster")]
    assert {each["metadata"]["name"] for each in wide} == {f"cimaster-tokenreviews-{namespace}"}
    [binding] = [each for each in wide if each["kind"] == "ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == f"cimaster-tokenreviews-{namespace}"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "cimaster", "namespace": namespace}]


def proxy_configuration() -> dict[str, Any]:
    """Return the configuration of oauth2-proxy."""
    found: dict[str, Any] = yaml.safe_load(manifest(PROXY, "ConfigMap", PROXY_NAME)["data"]["config.yaml"])
    return found


def test_the_proxy_replaces_each_header_that_names_a_person() -> None:
    injected = {header["name"]: header for header in proxy_configuration()["injectRequestHeaders"]}
    names = {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-CIMaster-Proxy-Secret"}
    assert injected.keys() == names
    assert all(header["preserveRequestValue"] is False for header in injected.values())


def test_no_secret_is_in_the_configuration_of_the_proxy() -> None:
    text = manifest(PROXY, "ConfigMap", PROXY_NAME)["data"]["config.yaml"]
    assert "clientSecretFile:" in text
    assert not {"clientSecret:", "value:", "fromEnv:"} & set(text.split())
    secrets = [word for word in pod(PROXY, PROXY_NAME)["containers"][0]["args"] if "secret" in word]
    assert secrets == ["--cookie-secret-file=/etc/oauth2-proxy/secrets/cookie-secret"]


def test_the_proxy_lets_no_request_past_the_sign_in() -> None:
    flags = {word.partition("=")[0] for word in pod(PROXY, PROXY_NAME)["containers"][0]["args"]}
    assert not [flag for flag in flags if flag.startswith(("--skip-auth", "--skip-jwt", "--trusted-ip", "--api-route"))]
    assert {"--reverse-proxy", "--trusted-proxy-ip"} <= flags  # the first without the second believes every peer


def test_the_proxy_reaches_the_service_and_not_the_reverse() -> None:
    [upstream] = proxy_configuration()["upstreamConfig"]["upstreams"]
    service = manifest(MANIFESTS / "base", "Service")
    assert upstream["uri"] == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    policy = manifest(PROXY, "NetworkPolicy", PROXY_NAME)["spec"]
    [peer] = policy["egress"][-1]["to"]
    assert peer["podSelector"]["matchLabels"] == service["spec"]["selector"]
    labels = manifest(PROXY, "Deployment", PROXY_NAME)["spec"]["template"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= labels.items()
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder in which the commands of the page have made their files."""
    scripts = [block for block in commands(PAGE, CLUSTER) if "> session-keys" in block or "> cookie-secret" in block]
    assert len(scripts) == 2
    script = "\n".join(["kubectl() { :; }", "CLIENT_SECRET=any", *scripts])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], check=True, cwd=tmp_path, env={**os.environ, "PATH": path}
    )
    return tmp_path


def test_the_commands_make_files_that_the_service_can_use(made: Path) -> None:
    tokens = TokenFile(str(made / "tokens"), names.caller)
    for name in ("alice", "bob", "nightly"):
        known = tokens.find((made / f"{name}.token").read_text().strip())
        assert known
        assert known.name == name
    assert len(secret_file.parse((made / "session-keys").read_text())) == 1
    assert len(secret_file.parse((made / "proxy-secret").read_text())) == 1
    assert {path.stat().st_mode & 0o077 for path in made.iterdir()} == {0}


def test_the_commands_make_files_that_oauth2_proxy_can_use(made: Path) -> None:
    assert "\n" not in (made / "proxy-secret").read_text()  # it sends the file as it is
    assert len(base64.urlsafe_b64decode((made / "cookie-secret").read_text())) == 32


EXAMPLES = [
    example for block in markdown.blocks(PAGE, "yaml") if "apiVersion" in (example := yaml.safe_load(block.text))
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["kind"])
def test_the_api_server_accepts_the_examples(control_plane: ControlPlane, example: dict[str, Any]) -> None:
    namespace = control_plane.namespace()
    placed = {**example, "metadata": {**example["metadata"]}}
    place(placed, namespace)
    control_plane.put(placed)


def test_the_examples_have_our_audience_and_lead_to_the_proxy() -> None:
    examples = {example["kind"]: example["spec"] for example in EXAMPLES}
    assert examples.keys() == {"Pod", "Ingress"}
    [source] = examples["Pod"]["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == AUDIENCE
    [path] = examples["Ingress"]["rules"][0]["http"]["paths"]
    service = manifest(PROXY, "Service", PROXY_NAME)
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
