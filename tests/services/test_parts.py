"""Changes of many clusters in several writes: when a later write fails, the results say what was done and what not."""

from functools import partial
from pathlib import Path

import pytest

from cimaster import pool as decide
from cimaster.errors import StoreTrouble
from cimaster.pool import ClusterFacts
from cimaster.pool.decisions import inventory_import, selection
from cimaster.pool.decisions.inventory_import import ImportAnswer
from cimaster.pool.decisions.inventory_plan import SyncTerms
from cimaster.pool.decisions.selection import DONE, FAILED, OF_LENDING, SelectedCluster, SelectionAnswer
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import StoredObject
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services import inventory_import as importing
from cimaster.services.selection import carry_out
from tests.conftest import Add

NAMES = [f"cluster-{number:03}" for number in range(120)]


class SmallStore(SQLiteStore):
    """Refuses every object in which a text occurs more often than `most` times, as a full disk would."""

    refused, most = "", 0

    def replace(self, changed: StoredObject) -> str:
        if self.refused and changed.data["cluster.json"].count(self.refused) > self.most:
            raise StoreTrouble("the disk is full")
        return super().replace(changed)


@pytest.fixture
def store(tmp_path: Path) -> SmallStore:
    return SmallStore(str(tmp_path / "pool.db"), "clusters")


@pytest.mark.parametrize("fitting", [0, 70])
def test_clusters_that_were_not_reached_count_as_failed(
    store: SmallStore, repository: ConfigMapRepository, add: Add, fitting: int
) -> None:
    add(*NAMES)
    pool = repository.fresh().pool
    selected = [SelectedCluster(name, selection.digest(pool.find(name), OF_LENDING)) for name in NAMES]
    store.refused, store.most = '"disabledReason"', fitting
    disable = partial(decide.disable, by="root", reason="why")
    if not fitting:
        with pytest.raises(StoreTrouble, match="the disk is full"):
            carry_out(repository, selected, OF_LENDING, disable)
        return
    answer = carry_out(repository, selected, OF_LENDING, disable).answer
    assert isinstance(answer, SelectionAnswer)
    assert [result.outcome for result in answer.results] == [DONE] * 50 + [FAILED] * 70
    assert answer.results[50].sentence == "the disk is full"
    assert sum(cluster.disabled for cluster in repository.fresh().pool.clusters) == 50


@pytest.mark.parametrize("fitting", [0, 70])
def test_what_stops_an_import_is_its_last_result(
    store: SmallStore, repository: ConfigMapRepository, fitting: int
) -> None:
    wanted = {name: ClusterFacts(region="eu") for name in NAMES}
    seen = inventory_import.plan(repository.fresh().pool, wanted, removes=False).digest
    store.refused, store.most = '"name"', fitting
    apply = partial(importing.carry_out, repository, wanted, seen, SyncTerms("root"), removes=False)
    if not fitting:
        with pytest.raises(StoreTrouble, match="the disk is full"):
            apply()
        return
    answer = apply().answer
    assert isinstance(answer, ImportAnswer)
    assert [result.outcome for result in answer.results] == [DONE] * 50 + [FAILED]
    assert answer.results[-1].sentence == "the remaining steps were not tried: the disk is full"
    assert len(repository.fresh().pool.clusters) == 50
