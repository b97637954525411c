"""The licences of what CIMaster ships: each must be known, and among those that allow to ship it.

A licence is an SPDX expression. Newer packages name one; from older ones it is read out of their free texts.
"""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution
from typing import Protocol

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

# All of them allow to use, change and pass on the code in any program. MPL-2.0 asks for the source of its own files
# only, which we do not change.
ALLOWED = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"}

_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
# Their metadata say "BSD License" only. The files of the licence that they ship are of three clauses.
_READ_IN_FILE = {"google-re2": "BSD-3-Clause", "itsdangerous": "BSD-3-Clause", "jinja2": "BSD-3-Clause"}


class Licensed(Protocol):
    """A part with a name and a licence."""

    @property
    def name(self) -> str:
        """The name of the part."""

    @property
    def licence(self) -> str:
        """The SPDX expression of its licence, or a text that is none."""


def licence_of(package: Distribution) -> str:
    """Return the licence of an installed package as an SPDX expression, or empty if its metadata do not tell."""

    def stated(field: str) -> list[str]:
        return package.metadata.get_all(field) or []

    texts = [*stated("License-Expression"), *stated("License"), *_read_in_file(package)]
    classified = [_CLASSIFIERS.get(classifier, "") for classifier in stated("Classifier")]
    return next((expression for text in [*texts, *classified] if (expression := _expression(text))), "")


def _read_in_file(package: Distribution) -> list[str]:
    name = canonicalize_name(package.metadata["Name"])
    return [_READ_IN_FILE[name]] if name in _READ_IN_FILE else []


def _expression(text: str) -> str:
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""


def refusals(parts: Iterable[Licensed]) -> list[str]:
    """Return one sentence for each part that must not be shipped."""
    return [sentence for part in parts if (sentence := _refusal(part))]


def _refusal(part: Licensed) -> str:
    if not _expression(part.licence):
        return (
            f"{part.name}: its licence is unknown; read the file that it ships, and add it to tests/supply/licences.py"
        )
    words = set(re.split(r"[\s()]+", part.licence)) - {"", "AND", "OR", "WITH"}
    if refused := sorted(words - ALLOWED):
        return f"{part.name}: {', '.join(refused)} is not an allowed licence; replace the package, or allow it there"
    return ""
