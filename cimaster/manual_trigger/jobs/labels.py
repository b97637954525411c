"""The labels of a ProwJob, made and mended by the rules that Prow has for them."""

import re
from collections.abc import Mapping
from typing import Any

JOB_LABEL, TYPE_LABEL = "prow.k8s.io/job", "prow.k8s.io/type"
CONTEXT_LABEL = "prow.k8s.io/context"
_LONGEST = 63
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?")


def labels_of(spec: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a ProwJob of that spec; the job's own ones win."""
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
    """Return the labels that Kubernetes takes: a bad value gives way to its last part after a `/`, or is left out."""
    mended = {key: value if _is_valid(value) else _last_part(value) for key, value in labels.items()}
    return {key: value for key, value in mended.items() if _is_valid(value)}


def _is_valid(value: str) -> bool:
    return len(value) <= _LONGEST and _VALUE.fullmatch(value) is not None


def _shortened(value: str) -> str:
    encoded = value.encode()
    return value if len(encoded) <= _LONGEST else encoded[:_LONGEST].decode("utf-8", "replace").rstrip("._-")


def _last_part(value: str) -> str:
    """Return what Go's filepath.Base would."""
    return value.rstrip("/").rpartition("/")[2] or "/"
