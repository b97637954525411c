"""Checks the fields of a job that Prow expects to be text, where YAML may have read a number or a boolean.

An API server whose CRD checks less would accept such a ProwJob, and Prow's controller could then read no ProwJob.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cimaster.manual_trigger.errors import BadJob

_TEXTS = (
    "name",
    "agent",
    "cluster",
    "namespace",
    "context",
    "rerun_command",
    "job_queue_name",
    "path_alias",
    "clone_uri",
)
_REFS = ("org", "repo", "repo_link", "base_ref", "base_sha", "base_link", "path_alias", "workdir", "clone_uri")
_MAPPINGS = ("decoration_config", "reporter_config", "prowjob_defaults")
_CONTAINER = ("name", "image", "workingDir")


def without_nulls(value: Any) -> Any:
    """Return a copy without the keys whose value is null: Go treats them as missing."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def check(job: Mapping[str, Any]) -> None:
    """Raise BadJob, naming the job and the field, for the first field whose type is not the one that Prow expects."""
    for path, value in _texts_of(job):
        if not isinstance(value, str):
            raise BadJob(
                f"{path} of job {job.get('name')!s} is {_type_of(value)} where Prow expects text: "
                "put it in quotes in Prow's configuration",
                field=path,
            )


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"the number {value}" if isinstance(value, int | float) else f"a {type(value).__name__}"


def _texts_of(job: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from _members(job, "", _TEXTS)
    for key in _MAPPINGS:
        _mapping(job, key)
    for key in ("labels", "annotations"):
        for name, value in _mapping(job, key).items():
            yield f"a key of {key}", name
            yield f"{key}.{name}", value
    for key in ("branches", "skip_branches"):
        yield from _items(job, key, key)
    for index, refs in enumerate(_list(job, "extra_refs")):
        yield from _members(_as_mapping(job, refs, "extra_refs"), f"extra_refs[{index}].", _REFS)
    spec = _mapping(job, "spec")
    for key in ("containers", "initContainers"):
        for index, container in enumerate(_list(spec, key, job)):
            yield from _container(job, _as_mapping(job, container, key), f"spec.{key}[{index}].")


def _container(job: Mapping[str, Any], container: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    yield from _members(container, path, _CONTAINER)
    for key in ("command", "args"):
        yield from _items(container, key, path + key, job)
    for index, entry in enumerate(_list(container, "env", job)):
        yield from _members(_as_mapping(job, entry, "env"), f"{path}env[{index}].", ("name", "value"))


def _members(owner: Mapping[str, Any], path: str, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield from ((path + name, owner[name]) for name in names if name in owner)


def _items(
    owner: Mapping[str, Any], key: str, path: str, job: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Any]]:
    yield from ((f"{path}[{index}]", value) for index, value in enumerate(_list(owner, key, job or owner)))


def _list(owner: Mapping[str, Any], key: str, job: Mapping[str, Any] | None = None) -> list[Any]:
    value = owner.get(key, [])
    if not isinstance(value, list):
        raise _wrong_type(job or owner, key, "a list")
    return value


def _mapping(job: Mapping[str, Any], key: str) -> Mapping[Any, Any]:
    return _as_mapping(job, job.get(key, {}), key)


def _as_mapping(job: Mapping[str, Any], value: Any, key: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(job, key, "a mapping")
    return value


def _wrong_type(job: Mapping[str, Any], key: str, expected: str) -> BadJob:
    return BadJob(f"{key} of job {job.get('name')!s} is not {expected}: correct Prow's configuration", field=key)
