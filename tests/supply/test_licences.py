"""`make licences`: everything that ships has a licence that we know and allow, and anything else is refused."""

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.supply.licences import licence_of, refusals
from tests.supply.shipped import Part, ourselves, packages, vendored


def package(folder: Path, *lines: str) -> Distribution:
    """Return an installed package with these lines in its metadata."""
    information = folder / "thing-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: thing", "Version: 1.0", *lines]))
    return Distribution.at(information)


def part(licence: str) -> Part:
    """Return something with this licence."""
    return Part("thing", "1.0", licence, "pkg:pypi/thing@1.0")


def test_everything_that_ships_has_an_allowed_licence() -> None:
    assert refusals([ourselves(), *packages(), *vendored()]) == []


@pytest.mark.parametrize(
    ("line", "licence"),
    [
        ("License-Expression: MIT AND Apache-2.0", "MIT AND Apache-2.0"),
        ("License: mit", "MIT"),
        ("Classifier: License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("License: see the file", ""),
        ("Classifier: License :: OSI Approved :: BSD License", ""),  # of two clauses, or of three?
        ("Summary: without a licence", ""),
    ],
)
def test_the_licence_is_read_from_the_metadata(tmp_path: Path, line: str, licence: str) -> None:
    assert licence_of(package(tmp_path, line)) == licence


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 AND MIT", "(MIT OR 0BSD) AND ISC"])
def test_an_allowed_licence_passes(licence: str) -> None:
    assert refusals([part(licence)]) == []


@pytest.mark.parametrize("licence", ["AGPL-3.0-only", "MIT AND GPL-2.0-only", "Apache-2.0 WITH LLVM-exception"])
def test_any_other_licence_is_refused(licence: str) -> None:
    [refused] = refusals([part("MIT"), part(licence)])
    assert "is not an allowed licence" in refused


@pytest.mark.parametrize("licence", ["", "free for all", "MIT, mostly"])
def test_an_unknown_licence_is_refused(licence: str) -> None:
    [refused] = refusals([part(licence)])
    assert "its licence is unknown" in refused
