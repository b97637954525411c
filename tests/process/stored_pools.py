"""Pools in stores of their own, and the commands of the server for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cimaster.services import usage_sums
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.conftest import empty_config_map

KINDS = ["sqlite", pytest.param("kubernetes", marks=pytest.mark.kube)]


def cimaster(settings: Settings, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command for a store."""
    environment = {**os.environ, "CIMASTER_STORE": settings.store, "CIMASTER_NAMESPACE": settings.namespace}
    environment["CIMASTER_HISTORY_OBJECTS"] = str(settings.history_objects)
    command = [sys.executable, "-m", "cimaster", *arguments]
    return subprocess.run(command, check=False, capture_output=True, timeout=60, env=environment, input=data)


def pool_of(request: pytest.FixtureRequest, kind: str, folder: Path, name: str) -> Settings:
    """Return the settings of an empty pool."""
    if kind == "sqlite":
        return Settings(store=f"sqlite:{folder / name}.db")
    namespace = request.getfixturevalue("kube_access")
    empty_config_map(request.getfixturevalue("control_plane"), namespace)
    return Settings(store="kubernetes", namespace=namespace)


def archive(service: Clusters) -> None:
    """Archive all changes, as a replica that stops then."""
    archiving = Archiving(service.repository, usage_sums.count_usage)
    assert archiving.archive() > 0
    archiving.release()
