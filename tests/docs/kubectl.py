"""A stand-in for kubectl on a real API server: it knows the commands of the pages, and fails on any other.

What matters in them is checked by the API server itself: names, fields, rights. `exec` runs the command here, with the
rights of the pod's service account. DOCS_NAMESPACE is what the pages call `ci`, so that tests do not share it.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.kube.kustomize import built, path_of, place

_NAMESPACE = "ci"
_LITERAL = "--from-literal"


class Cluster:
    """The API server that KUBECONFIG names, and one namespace of it."""

    def __init__(self, namespace: str) -> None:
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text("utf-8"))
        self._cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.namespace = os.environ["DOCS_NAMESPACE"] if namespace == _NAMESPACE else namespace
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = self._cluster["certificate-authority"]
        self._http.headers["Authorization"] = f"Bearer {user['token']}"

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Call the API server; end the program with its words where it refuses."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        answer = self._http.request(method, self._cluster["server"] + path, data=data, headers=headers, timeout=30)
        if not answer.ok:
            sys.exit(f"Error from server: {answer.json()['message']}")
        return answer.json()

    def core(self, plural: str, name: str = "") -> str:
        """Return the path of objects of the core API, or of one."""
        return f"/api/v1/namespaces/{self.namespace}/{plural}/{name}".rstrip("/")

    def deployment(self, name: str) -> str:
        """Return the path of a Deployment."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"


def main() -> None:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="kubectl", allow_abbrev=False)
    parser.add_argument("-n", default=_NAMESPACE)
    commands = parser.add_subparsers(required=True)
    _add_create(commands)
    _add(commands, "apply", _apply, "-k")
    _add(commands, "get", _get, "kind", "name", "-o")
    _add(commands, "patch", _patch, "kind", "name", "--type", "-p")
    _add(commands, "replace", _replace, "-f")
    _add(commands, "edit", _edit, "kind", "name")
    _add(commands, "rollout", _rollout, "what", "kind", "name")
    words = sys.argv[1:]
    command = words[words.index("--") + 1 :] if "--" in words else []
    execute = _add(commands, "exec", lambda cluster, options: _exec(cluster, options, command), "pod")
    execute.add_argument("-i", action="store_true")
    options = parser.parse_args(words[: words.index("--")] if command else words)
    options.run(Cluster(options.n), options)


def _add(commands: Any, name: str, run: Any, *arguments: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, allow_abbrev=False)
    for argument in arguments:
        if argument.startswith("-"):
            parser.add_argument(argument, required=True)
        else:
            parser.add_argument(argument)
    parser.set_defaults(run=run)
    return parser


def _add_create(commands: Any) -> None:
    create = commands.add_parser("create").add_subparsers(required=True)
    _add(create, "namespace", _create_namespace, "name")
    _add(create, "configmap", _create_config_map, "name").add_argument(_LITERAL, action="append", default=[])
    secret = _add(create, "secret", _create_secret, "type", "name")
    for option in (_LITERAL, "--from-file"):
        secret.add_argument(option, action="append", default=[])
    secret.add_argument("--dry-run", choices=["client"])
    secret.add_argument("-o", choices=["yaml"])


def _create_namespace(cluster: Cluster, options: argparse.Namespace) -> None:
    name = Cluster(options.name).namespace
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def _literals(options: argparse.Namespace) -> dict[str, str]:
    return dict(literal.split("=", 1) for literal in options.from_literal)


def _create_config_map(cluster: Cluster, options: argparse.Namespace) -> None:
    body = {"metadata": {"name": options.name}, "data": _literals(options)}
    cluster.call("POST", cluster.core("configmaps"), body)


def _create_secret(cluster: Cluster, options: argparse.Namespace) -> None:
    contents = {key: text.encode() for key, text in _literals(options).items()}
    contents |= {Path(path).name: Path(path).read_bytes() for path in options.from_file}
    data = {key: base64.b64encode(content).decode() for key, content in contents.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": options.name}, "data": data}
    if options.dry_run:
        print(yaml.safe_dump(secret))
    else:
        cluster.call("POST", cluster.core("secrets"), secret)


def _replace(cluster: Cluster, options: argparse.Namespace) -> None:
    assert options.f == "-"
    manifest = yaml.safe_load(sys.stdin.read())
    place(manifest, cluster.namespace)
    cluster.call("PUT", path_of(manifest), manifest)


def _apply(cluster: Cluster, options: argparse.Namespace) -> None:
    folder = Path(options.k)
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    target = Cluster(kustomization["namespace"])
    for manifest in built(folder):
        place(manifest, target.namespace)
        query = "fieldManager=kubectl&force=true&fieldValidation=Strict"
        target.call("PATCH", f"{path_of(manifest)}?{query}", manifest, "application/apply-patch+yaml")


def _get(cluster: Cluster, options: argparse.Namespace) -> None:
    found = cluster.call("GET", cluster.core(f"{options.kind}s", options.name))
    print(yaml.safe_dump(found))


def _patch(cluster: Cluster, options: argparse.Namespace) -> None:
    path = cluster.core(f"{options.kind}s", options.name)
    cluster.call("PATCH", path, json.loads(options.p), f"application/{options.type}-patch+json")


def _edit(cluster: Cluster, options: argparse.Namespace) -> None:
    path = cluster.core(f"{options.kind}s", options.name)
    with tempfile.NamedTemporaryFile("w+", suffix=".yaml") as file:
        file.write(yaml.safe_dump(cluster.call("GET", path)))
        file.flush()
        subprocess.run([*os.environ["EDITOR"].split(), file.name], check=True)
        cluster.call("PUT", path, yaml.safe_load(Path(file.name).read_text("utf-8")))


def _rollout(cluster: Cluster, options: argparse.Namespace) -> None:
    path = cluster.deployment(options.name)
    if options.what == "status":
        cluster.call("GET", path)
    else:
        annotations = {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}
        change = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        cluster.call("PATCH", path, change, "application/merge-patch+json")


def _exec(cluster: Cluster, options: argparse.Namespace, command: list[str]) -> None:
    kind, _, name = options.pod.partition("/")
    pod = cluster.call("GET", cluster.deployment(name))["spec"]["template"]["spec"]
    assert (kind, pod["serviceAccountName"]) == ("deploy", name)
    variables = {"CIMASTER_STORE": "kubernetes", "CIMASTER_NAMESPACE": cluster.namespace}
    environment = {**os.environ, **variables, "KUBECONFIG": os.environ["POD_KUBECONFIG"]}
    stdin = None if options.i else subprocess.DEVNULL
    sys.exit(subprocess.run(command, check=False, env=environment, stdin=stdin).returncode)


if __name__ == "__main__":
    main()
