"""What the image contains beside Python and the base image: the packages of requirements.lock, and vendored files.

The lock has packages for any platform. The image's is Linux with CPython, in the version that the Dockerfile names.
"""

import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.supply.licences import licence_of

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
VENDOR = ROOT / "cimaster" / "static" / "vendor"
VENDORED = VENDOR / "vendored.yaml"


@dataclass(frozen=True)
class Part:
    """A part that others wrote, or CIMaster itself; `needs` has the names of the parts that it uses."""

    name: str
    version: str
    licence: str  # an SPDX expression, or a text that is none
    purl: str
    needs: Sequence[str] = ()
    source: str = ""
    sha256: dict[str, str] = field(default_factory=dict)  # by path, for vendored files


class NotInstalled(Exception):
    """A package of the lock is missing here, or has another version, so its metadata cannot be read."""


def environment() -> dict[str, str]:
    """Return the image's values of the variables in the markers of requirements."""
    found = re.search(r"^FROM python:(3\.\d+)-", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert found, "the Dockerfile names no version of Python"
    return {
        "python_version": found[1],
        "python_full_version": f"{found[1]}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "extra": "",
    }


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Return the versions of the packages that the image installs, by name."""
    lines = re.findall(r"^[a-z0-9][^\\\n]*", lock.read_text("utf-8"), re.MULTILINE)
    fitting = [requirement for requirement in map(Requirement, lines) if _applies(requirement)]
    return {requirement.name: str(requirement.specifier).removeprefix("==") for requirement in fitting}


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment())


def _needs(requirements: Sequence[str]) -> list[str]:
    parsed = [Requirement(line) for line in requirements]
    return sorted({canonicalize_name(each.name) for each in parsed if _applies(each)})


def packages() -> Iterator[Part]:
    """Yield the packages of the lock, with what their metadata says."""
    for name, version in sorted(locked().items()):
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise NotInstalled(f"{name} {version} is not installed: run make lint, which installs it") from None
        if installed.version != version:
            raise NotInstalled(f"{name} is installed as {installed.version}, not as {version}: run make lock")
        yield Part(name, version, licence_of(installed), f"pkg:pypi/{name}@{version}", _needs(installed.requires or []))


def vendored() -> Iterator[Part]:
    """Yield what was copied into the repository."""
    entries: list[dict[str, Any]] = yaml.safe_load(VENDORED.read_text("utf-8"))
    for entry in entries:
        hashes = {f"{entry['folder']}/{name}": file["sha256"] for name, file in entry["files"].items()}
        yield Part(entry["name"], entry["version"], entry["licence"], entry["purl"], (), entry["source"], hashes)


def ourselves() -> Part:
    """Return CIMaster as a part that needs its dependencies and the vendored files."""
    configuration = ConfigParser()
    configuration.read_string((ROOT / "setup.cfg").read_text("utf-8"))
    metadata, requirements = configuration["metadata"], configuration["options"]["install_requires"].split("\n")
    needs = [*_needs([line for line in requirements if line]), *(part.name for part in vendored())]
    version = metadata["version"]
    return Part(metadata["name"], version, metadata["license"], f"pkg:generic/{metadata['name']}@{version}", needs)
