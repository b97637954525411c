"""Links to the CI system and to kubeconfigs, from the templates in the settings."""

import re
from urllib.parse import quote

from cimaster.web.components import components

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def of_kubeconfig(cluster: str) -> str:
    """Return where the kubeconfig of a cluster is; empty if the operator has not set that."""
    return _filled(components().settings.kubeconfig_url, cluster=cluster)


def of_build(job: str, build: str) -> str:
    """Return the page of a build, or else of its job; empty if the operator has set neither."""
    settings = components().settings
    return _filled(settings.build_url, job=job, build=build) or _filled(settings.job_url, job=job)


def _filled(template: str, **values: str) -> str:
    """Fill in the placeholders, percent-encoded; empty if a value is missing, or is `.` or `..`."""
    used = [values[name] for name in _PLACEHOLDER.findall(template)]
    if not all(value.strip(".") for value in used):
        return ""
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe="", errors="replace"), template)
