"""The ProwJob of a job: what Prow's own `mkpj` makes of it, plus the user and our annotations."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.times import format_time
from cimaster.manual_trigger.errors import BadJob, UnsupportedAgent
from cimaster.manual_trigger.jobs import labels
from cimaster.manual_trigger.jobs.configuration import Configuration, Job
from cimaster.manual_trigger.jobs.trigger_request import PERIODIC, PRESUBMIT, TriggerRequest

API_VERSION, KIND = "prow.k8s.io/v1", "ProwJob"
TRIGGERED_BY = "cimaster.io/triggered-by"
TRIGGERED_FROM = "cimaster.io/triggered-from"
REQUEST_ID = "cimaster.io/request-id"
_AUTHOR = "AUTHOR"
_COPIED_FIELDS = (
    "max_concurrency",
    "error_on_eviction",
    "hidden",
    "job_queue_name",
    "decoration_config",
    "reporter_config",
    "rerun_auth_config",
    "pipeline_run_spec",
    "tekton_pipeline_run_spec",
)
_COPIED_TO_REFS = ("path_alias", "clone_uri", "skip_submodules", "clone_depth", "skip_fetch_head")


@dataclass(frozen=True)
class ProwJobBuilder:
    """Builds the ProwJob of a job for a request."""

    configuration: Configuration
    job: Job
    request: TriggerRequest
    repo_links: bool = False

    def build(self, name: str, now: datetime) -> dict[str, Any]:
        """Return the object to create."""
        spec, fields = self._spec(), self.job.fields
        state = "scheduling" if self.configuration.schedules else "triggered"
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": name,
                "labels": labels.labels_of(spec, fields.get("labels") or {}),
                "annotations": self._annotations(spec),
            },
            "spec": spec,
            # The status is no subresource: without it Prow would ignore the object.
            "status": {"startTime": format_time(now), "state": state},
        }

    def _annotations(self, spec: Mapping[str, Any]) -> dict[str, str]:
        ours = {
            TRIGGERED_BY: self.request.user,
            TRIGGERED_FROM: self.request.source,
            REQUEST_ID: self.request.request_id,
        }
        return {
            labels.JOB_LABEL: spec["job"],
            labels.CONTEXT_LABEL: spec.get("context", ""),
            **(self.job.fields.get("annotations") or {}),
            **{key: value for key, value in ours.items() if value},
        }

    def _spec(self) -> dict[str, Any]:
        fields = _checked(self.job, decorates_all=self.configuration.decorates_all)
        spec: dict[str, Any] = {
            "type": self.job.kind,
            "job": fields["name"],
            "agent": "kubernetes",
            "cluster": fields.get("cluster") or "default",
            "namespace": fields.get("namespace") or self.configuration.pod_namespace,
            "pod_spec": _pod_spec(fields["spec"], self.request.user),
            "prowjob_defaults": _defaults(fields.get("prowjob_defaults") or {}),
            **{key: copy.deepcopy(fields[key]) for key in _COPIED_FIELDS if fields.get(key)},
        }
        decoration = fields.get("decoration_config") or {}
        if fields.get("extra_refs"):
            spec["extra_refs"] = [_blobless(dict(refs), decoration) for refs in fields["extra_refs"]]
        if self.job.kind != PERIODIC:
            spec |= self._of_repository(fields, decoration)
        if self.job.kind == PERIODIC or not fields.get("skip_report"):
            spec["report"] = True
        _set_slack_report(spec.get("reporter_config") or {})
        return spec

    def _of_repository(self, fields: Mapping[str, Any], decoration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of jobs that belong to a repository."""
        made: dict[str, Any] = {"context": fields.get("context") or fields["name"]}
        if self.job.kind == PRESUBMIT:
            made["rerun_command"] = fields.get("rerun_command") or f"/test {fields['name']}"
        if fields.get("jenkins_spec"):
            made["jenkins_spec"] = copy.deepcopy(fields["jenkins_spec"])
        refs = dict(self.request.refs or {})
        if self.repo_links:
            refs["repo_link"] = f"{self.configuration.link_url}/{self.request.repository}"
        refs |= {key: fields[key] for key in _COPIED_TO_REFS if fields.get(key)}
        if decoration.get("sparse_checkout_files"):
            refs["sparse_checkout_files"] = copy.deepcopy(decoration["sparse_checkout_files"])
        return {**made, "refs": _blobless(refs, decoration)}


def _checked(job: Job, *, decorates_all: bool) -> Mapping[str, Any]:
    """Return the job's fields; raise a refusal if Prow's controller could not run it on Kubernetes."""
    fields = job.fields
    agent = fields.get("agent") or "kubernetes"
    if agent != "kubernetes":
        raise UnsupportedAgent(
            f"job {job.name} is run by {agent}: choose a job whose agent is kubernetes, the only one supported here"
        )
    if not (fields.get("spec") or {}).get("containers"):
        raise BadJob(f"job {job.name} has no containers: add one in Prow's configuration", field="spec.containers")
    decoration = fields.get("decoration_config")
    if decoration is None and not fields.get("decorate", decorates_all):
        return fields
    for part in ("utility_images", "gcs_configuration"):
        if not isinstance(decoration, dict) or not decoration.get(part):
            raise BadJob(
                f"job {job.name} is decorated and has no decoration_config.{part}, without which Prow's controller "
                "fails: take the configuration from Deck's /config, where the defaults are filled in",
                field=f"decoration_config.{part}",
            )
    return fields


def _pod_spec(spec: Mapping[str, Any], user: str) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(dict(spec))
    for key in ("containers", "initContainers"):
        for container in made.get(key) or []:
            container.setdefault("name", "")  # the CRD requires it; empty is allowed
    for container in made["containers"]:
        container["env"] = _with_author(container.get("env") or [], user)
    return made


def _with_author(env: list[dict[str, Any]], user: str) -> list[dict[str, Any]]:
    author = {"name": _AUTHOR, "value": user.replace("$", "$$")}  # Kubernetes would expand $(NAME)
    replaced = [author if entry.get("name") == _AUTHOR else entry for entry in env]
    return replaced if author in replaced else [*env, author]


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(dict(given)), "tenant_id": given.get("tenant_id") or "GlobalDefaultID"}


def _blobless(refs: dict[str, Any], decoration: Mapping[str, Any]) -> dict[str, Any]:
    if "blobless_fetch" in decoration:
        refs.setdefault("blobless_fetch", decoration["blobless_fetch"])
    return refs


def _set_slack_report(reporter: dict[str, Any]) -> None:
    """Say in `report` whether to tell Slack. An empty list of states means no, and Prow would drop the empty list."""
    slack = reporter.get("slack")
    if isinstance(slack, dict) and "report" not in slack:
        slack["report"] = slack.get("job_states_to_report") != []
    if isinstance(slack, dict) and slack.get("job_states_to_report") == []:
        del slack["job_states_to_report"]
