"""The versions that etcd reports: all of them, in order, also across a restart of etcd."""

from pathlib import Path
from typing import Any

from tests.conftest import empty_config_map
from tests.kube.apiserver import ControlPlane
from tests.kube.stored_versions import StoredVersions, pools
from tests.replica import Replica


def test_every_commit_is_reported_also_after_a_restart_of_etcd(
    control_plane: ControlPlane, kube_access: str, tmp_path: Path
) -> None:
    empty_config_map(control_plane, kube_access)
    environment: dict[str, Any] = {"CIMASTER_STORE": "kubernetes", "CIMASTER_NAMESPACE": kube_access}
    with StoredVersions(control_plane.etcd_url, kube_access) as stored, Replica(tmp_path, **environment) as replica:
        for number in range(3):
            assert replica.get("/addcluster", cluster=f"c{number}", region="r", name="root").ok
        control_plane.stop_etcd()
        control_plane.start_etcd()
        control_plane.wait_until_ready()
        assert replica.get("/disablecluster", cluster="c1", name="root").ok
        seen = [pool for _, pool in pools(stored.up_to_now())]
    assert [pool.commit for pool in seen] == [0, 1, 2, 3, 4]
    assert [len(pool.clusters) for pool in seen] == [0, 1, 2, 3, 3]
    assert seen[-1].find("c1").disabled
