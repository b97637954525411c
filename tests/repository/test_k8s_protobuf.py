"""The API server's encoding: unknown fields keep their bytes, and the server reads what was written."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import CoreV1Api

from cimaster.repository.stores import k8s_protobuf
from cimaster.repository.stores.kubernetes import KubernetesStore
from tests.conftest import kube_access_by
from tests.kube.apiserver import ControlPlane

TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=300), max_size=4)


def config_map(*rest: bytes, metadata: bytes = b"") -> bytes:
    """Return a message as the API server would send it, with unknown fields."""
    return b"".join(
        [k8s_protobuf.field(1, k8s_protobuf.field(1, b"clusters") + k8s_protobuf.field(6, b"7") + metadata), *rest]
    )


@given(TEXTS, TEXTS, st.binary(max_size=200), st.integers(18, 100_000))
def test_a_replaced_message_reads_back_and_keeps_unknown_fields(
    data: dict[str, str], annotations: dict[str, str], unknown: bytes, number: int
) -> None:
    strange = k8s_protobuf.field(number, unknown)
    before = config_map(strange, metadata=strange)
    message = k8s_protobuf.raw(k8s_protobuf.replaced(before, data, annotations, "8"))
    after = k8s_protobuf.read(message)
    assert (after["data"], after["metadata"]["annotations"]) == (data, annotations)
    assert (after["metadata"]["name"], after["metadata"]["resourceVersion"]) == ("clusters", "8")
    top = k8s_protobuf.fields(message)
    assert [part.written for part in top if part.number == number] == [strange]
    assert [part.written for part in k8s_protobuf.fields(top[0].content) if part.number == number] == [strange]


@given(st.binary(max_size=100))
def test_garbage_is_refused_with_a_reason(garbage: bytes) -> None:
    with contextlib.suppress(ValueError):
        k8s_protobuf.read(garbage)


@pytest.mark.parametrize("answer", [b"", b"<html>", b'{"kind":"ConfigMap"}'])
def test_an_answer_in_another_encoding_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="encoding"):
        k8s_protobuf.raw(answer)


def test_the_api_server_reads_what_we_write_and_loses_nothing(
    control_plane: ControlPlane, kube_access: str, tmp_path: Path
) -> None:
    with control_plane.admin as admin:
        core = CoreV1Api(admin)
        owner = {"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": "0-1-2-3"}
        about = {
            "name": "odd",
            "labels": {"team": "ci"},
            "annotations": {"owner": "alice"},
            "ownerReferences": [owner],
            "finalizers": ["example.com/kept"],
        }
        body: Any = {"metadata": about, "data": {"README": "keep “me”\n"}, "binaryData": {"logo.png": "aGk="}}
        core.create_namespaced_config_map(kube_access, body)
        made = admin.sanitize_for_serialization(core.read_namespaced_config_map("odd", kube_access))
        kubeconfig = control_plane.admin_kubeconfig(tmp_path / "admin")  # the service account may not see this object
        store = KubernetesStore(kube_access_by(kubeconfig), kube_access, "odd")
        stored = store.read()
        assert (stored.data, stored.body["binaryData"]) == (body["data"], body["binaryData"])
        assert (stored.uid, stored.body["metadata"]["labels"]) == (made["metadata"]["uid"], {"team": "ci"})
        version = store.replace(stored.replaced({**stored.data, "new": "ü" * 5000}, {**stored.annotations, "a": "b"}))
        after = admin.sanitize_for_serialization(core.read_namespaced_config_map("odd", kube_access))
    assert after["metadata"].pop("resourceVersion") == version
    del made["metadata"]["resourceVersion"], made["metadata"]["managedFields"], after["metadata"]["managedFields"]
    made["metadata"]["annotations"]["a"] = "b"
    made["data"]["new"] = "ü" * 5000
    assert after == made
