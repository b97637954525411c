"""The software bill of materials: what CIMaster ships, in the CycloneDX format that scanners read.

The same checkout gives the same bytes: the time is that of the commit, and the serial number follows from the content.
"""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tests.supply.shipped import LOCK, VENDORED, Part, ourselves, packages, vendored


def bill(made_at: datetime) -> str:
    """Return the bill of materials as JSON."""
    own, parts = ourselves(), [*packages(), *vendored()]
    components = {part.name: _component(part) for part in parts}
    root = _component(own, ComponentType.APPLICATION)
    bom = Bom(components=components.values(), serial_number=_serial_number(own))
    bom.metadata = BomMetaData(component=root, timestamp=made_at)
    bom.register_dependency(root, [components[name] for name in own.needs])
    for part in parts:
        # A package may need another one only with an extra that we do not install.
        bom.register_dependency(components[part.name], [components[name] for name in part.needs if name in components])
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _serial_number(own: Part) -> uuid.UUID:
    content = hashlib.sha256(LOCK.read_bytes() + VENDORED.read_bytes()).hexdigest()
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{own.purl}#{content}")


def _component(part: Part, kind: ComponentType = ComponentType.LIBRARY) -> Component:
    return Component(
        type=kind,
        name=part.name,
        version=part.version,
        bom_ref=part.purl,
        purl=PackageURL.from_string(part.purl),
        licenses=[LicenseExpression(part.licence)] if part.licence else [],
        external_references=_references(part),
        components=[_file(path, sha256) for path, sha256 in part.sha256.items()],
    )


def _references(part: Part) -> Sequence[ExternalReference]:
    return [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(part.source))] if part.source else []


def _file(path: str, sha256: str) -> Component:
    return Component(
        type=ComponentType.FILE, name=path, bom_ref=path, hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)]
    )
