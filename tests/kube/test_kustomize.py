"""The stand-in for `kubectl kustomize`, with which all other tests build k8s/, against kubectl itself."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kube.kustomize import MANIFESTS, built, place

FOLDERS = sorted(str(path.parent.relative_to(MANIFESTS)) for path in MANIFESTS.rglob("kustomization.yaml"))


def by_identity(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return manifests by their kind and name, since kubectl sorts them in another way."""
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kubectl_builds_the_same(folder: str) -> None:
    command = ["kubectl", "kustomize", str(MANIFESTS / folder)]
    by_kubectl = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    ours = list(built(MANIFESTS / folder))
    for each in ours:
        place(each, "ci")
    assert by_identity(list(yaml.safe_load_all(by_kubectl))) == by_identity(ours)


def test_a_folder_cannot_use_one_that_contains_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for folder, resource in ((tmp_path, "[]"), (tmp_path / "inner", "[..]")):
        (folder / "kustomization.yaml").write_text(f"namespace: ci\nresources: {resource}\n")
    with pytest.raises(AssertionError, match="refuses a resource that contains"):
        list(built(tmp_path / "inner"))
