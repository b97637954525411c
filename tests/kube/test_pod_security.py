"""The pods of k8s/ in a namespace that enforces the restricted Pod Security Standard of Kubernetes."""

import copy
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import ApiException

from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS, built


def templates() -> dict[str, dict[str, Any]]:
    """Return the pod of every Deployment in k8s/, by its folder and name."""
    folders = [path.parent for path in sorted(MANIFESTS.rglob("kustomization.yaml"))]
    deployments = [(folder, each) for folder in folders for each in built(folder) if each["kind"] == "Deployment"]
    return {_place(folder, each): each["spec"]["template"] for folder, each in deployments}


def _place(folder: Path, manifest: dict[str, Any]) -> str:
    return f"{folder.relative_to(MANIFESTS)}: {manifest['metadata']['name']}"


TEMPLATES = templates()


@pytest.fixture(scope="module")
def restricted(control_plane: ControlPlane) -> str:
    """A namespace in which the API server refuses a pod that is not restricted."""
    namespace = control_plane.namespace()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with control_plane.admin as admin:
        CoreV1Api(admin).patch_namespace(namespace, {"metadata": {"labels": labels}})
    return namespace


def refusal(control_plane: ControlPlane, namespace: str, template: dict[str, Any]) -> str:
    """Create a pod from a template, and return why the API server refuses it; empty if it does not."""
    name = f"pod-{uuid.uuid4().hex[:8]}"
    created: Any = {"metadata": {**template["metadata"], "name": name}, "spec": template["spec"]}
    with control_plane.admin as admin:
        try:
            CoreV1Api(admin).create_namespaced_pod(namespace, created)
        except ApiException as refused:
            return str(refused.body)
    return ""


def test_no_deployment_is_left_out() -> None:
    assert TEMPLATES.keys() == {
        ".: cimaster",
        "base: cimaster",
        "manual-trigger: manual-trigger",
        "overlays/required: cimaster",
        "overlays/required/oauth2-proxy: cimaster-oauth2-proxy",
    }


@pytest.mark.parametrize("place", TEMPLATES)
def test_a_restricted_namespace_accepts_the_pod(control_plane: ControlPlane, restricted: str, place: str) -> None:
    assert refusal(control_plane, restricted, TEMPLATES[place]) == ""


def _may_be_root(pod: dict[str, Any]) -> None:
    pod["securityContext"]["runAsNonRoot"] = False


def _may_gain_privileges(pod: dict[str, Any]) -> None:
    pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True


def _keeps_capabilities(pod: dict[str, Any]) -> None:
    del pod["containers"][0]["securityContext"]["capabilities"]


def _has_no_seccomp_profile(pod: dict[str, Any]) -> None:
    del pod["securityContext"]["seccompProfile"]


def _mounts_a_folder_of_the_node(pod: dict[str, Any]) -> None:
    pod["volumes"].append({"name": "node", "hostPath": {"path": "/"}})


@pytest.mark.parametrize("place", TEMPLATES)
@pytest.mark.parametrize(
    ("weaken", "named"),
    [
        (_may_be_root, "runAsNonRoot"),
        (_may_gain_privileges, "allowPrivilegeEscalation"),
        (_keeps_capabilities, "unrestricted capabilities"),
        (_has_no_seccomp_profile, "seccompProfile"),
        (_mounts_a_folder_of_the_node, "hostPath"),
    ],
)
def test_a_weaker_pod_is_refused(
    control_plane: ControlPlane, restricted: str, place: str, weaken: Callable[[dict[str, Any]], None], named: str
) -> None:
    template = copy.deepcopy(TEMPLATES[place])
    weaken(template["spec"])
    assert named in refusal(control_plane, restricted, template)
