"""The labels of a ProwJob, made and corrected by Prow's rules."""

import re
from collections.abc import Mapping
from typing import Any

JOB_LABEL, TYPE_LABEL = "prow.k8s.io/job", "prow.k8s.io/type"
CONTEXT_LABEL = "prow.k8s.io/context"
_LONGEST = 63
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?")


def labels_of(spec: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a ProwJob with that spec; the job's own labels override the others."""
    made = {
        "created-by-prow": "true",
        TYPE_LABEL: spec["type"],
        JOB_LABEL: _shortened(spec["job"]),
        CONTEXT_LABEL: _shortened(spec.get("context", "")),
    }
    refs = spec.get("refs") or next(iter(spec.get("extra_refs") or []), None)
    if refs:
        made |= {f"prow.k8s.io/refs.{part}": refs.get(part, "") for part in ("org", "repo", "base_ref")}
        if refs.get("pulls"):
            made["prow.k8s.io/refs.pull"] = str(refs["pulls"][0]["number"])
    return valid({**made, **own})


def valid(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that Kubernetes accepts: an invalid value is cut to its last part after a `/`, or left out."""
    corrected = {key: value if _is_valid(value) else _last_part(value) for key, value in labels.items()}
    return {key: value for key, value in corrected.items() if _is_valid(value)}


def _is_valid(value: str) -> bool:
    return len(value) <= _LONGEST and _VALUE.fullmatch(value) is not None


def _shortened(value: str) -> str:
    encoded = value.encode()
    return value if len(encoded) <= _LONGEST else encoded[:_LONGEST].decode("utf-8", "replace").rstrip("._-")


def _last_part(value: str) -> str:
    """Return the same as Go's filepath.Base."""
    return value.rstrip("/").rpartition("/")[2] or "/"
