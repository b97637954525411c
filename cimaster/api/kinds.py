"""What parameters say of the kind of cluster that a caller asks for."""

from cimaster import inputs
from cimaster.errors import MissingParameter
from cimaster.inputs import Given
from cimaster.pool import Ask
from cimaster.pool.cluster import IMAGE_PURPOSE


def ask_from(given: Given, cluster: str = "", by: str = "") -> Ask:
    """Return the kind of cluster that the parameters ask for; for tnet-ci the image must be named."""
    if given.purpose == IMAGE_PURPOSE and not given.osimage and not cluster:
        raise MissingParameter(f"osimage is required for purpose {IMAGE_PURPOSE}: name the image", parameter="osimage")
    return Ask(
        job=given.values.get("job") or "", build=given.values.get("build") or "", by=by, purpose=given.purpose or "",
        osimage=given.osimage or "", region=given.region or "", labels=inputs.labels(given.label), cluster=cluster,
        ttl=given.values.get("ttl"),
    )  # fmt: skip
