"""What `kubectl kustomize` makes of the folders in k8s/, for machines without kubectl: no more than these folders use.

A test compares the two where kubectl is there.
"""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "k8s"
_CLUSTER_KINDS = {"ClusterRole", "ClusterRoleBinding"}
_FIELDS = {"apiVersion", "kind", "namespace", "resources", "patches", "configMapGenerator"}
# The fields by which Kubernetes recognizes the entries of a list in a strategic merge patch.
_MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}


def built(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifests of a kustomization: files, other kustomizations, patches, ConfigMaps made from files."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    assert kustomization.keys() <= _FIELDS, f"{folder}: this stand-in does not know all of its fields"
    patches = [yaml.safe_load((folder / each["path"]).read_text("utf-8")) for each in kustomization.get("patches", [])]
    for manifest in _resources(folder, kustomization["resources"]):
        yield _patched(manifest, patches)
    for generator in kustomization.get("configMapGenerator", []):
        yield _generated(folder, generator)


def _patched(manifest: dict[str, Any], patches: list[dict[str, Any]]) -> dict[str, Any]:
    fitting = [patch for patch in patches if _identity(patch) == _identity(manifest)]
    return functools.reduce(_merged, fitting, manifest)


def _identity(manifest: dict[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _resources(folder: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        path = (folder / name).resolve()
        if path.is_dir():
            assert path not in folder.resolve().parents, f"kustomize refuses a resource that contains {folder}"
            yield from built(path)
        else:
            yield from yaml.safe_load_all(path.read_text("utf-8"))


def _generated(folder: Path, generator: dict[str, Any]) -> dict[str, Any]:
    assert generator["options"]["disableNameSuffixHash"], "a name with a hash would leave old objects behind"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": generator["name"], "labels": generator["options"]["labels"]},
        "data": {name: (folder / name).read_text("utf-8") for name in generator["files"]},
    }


def _merged(manifest: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(manifest)
    for field, value in patch.items():
        present = merged.get(field)
        if isinstance(value, dict) and isinstance(present, dict):
            merged[field] = _merged(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            merged[field] = _merged_list(present, value, _MERGE_KEYS[field])
        else:
            merged[field] = value
    return merged


def _merged_list(present: list[Any], patch: list[Any], key: str) -> list[Any]:
    """Return the entries of the patch, merged into those of the same name, and before those that it does not name."""
    known = {entry[key]: entry for entry in present}
    changed = [_merged(known.get(entry[key], {}), entry) for entry in patch]
    named = {entry[key] for entry in patch}
    return [*changed, *(entry for entry in present if entry[key] not in named)]


def place(manifest: dict[str, Any], namespace: str) -> None:
    """Move a manifest into a namespace, as the pages say: cluster-wide names end with it."""
    if manifest["kind"] in _CLUSTER_KINDS:
        _rename(manifest["metadata"], namespace)
        _rename(manifest.get("roleRef", {}), namespace)
    else:
        manifest["metadata"]["namespace"] = namespace
    for subject in manifest.get("subjects", []):
        subject["namespace"] = namespace


def _rename(named: dict[str, Any], namespace: str) -> None:
    if named:
        name, _, suffix = named["name"].rpartition("-")
        assert suffix == "ci", f"{named['name']}: two installations would share this cluster-wide name"
        named["name"] = f"{name}-{namespace}"


def path_of(manifest: dict[str, Any]) -> str:
    """Return the path of an object; all kinds in k8s/ form their plural regularly."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"].lower(), manifest["metadata"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    root = "api" if version == "v1" else "apis"
    namespace = f"namespaces/{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"/{root}/{version}/{namespace}{plural}/{metadata['name']}"
