"""An API server that ends each watch early, or rejects an old token: callers do not notice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cimaster.manual_trigger.components import components_of
from tests.conditions import until
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.manual_trigger.conftest import Start
from tests.manual_trigger.plank import Plank, Prow


@pytest.fixture
def faulty(prow_plane: ControlPlane) -> Iterator[FaultyServer]:
    with FaultyServer(prow_plane).running() as server:
        yield server


@pytest.mark.parametrize("how", ["gone", "brief", "nothing", "reset", "odd"])
def test_watches_that_end_early_are_repeated_with_pauses_until_a_build_id(
    start: Start, prow: Prow, prow_plane: ControlPlane, namespace: str, faulty: FaultyServer, tmp_path: Path, how: str
) -> None:
    faulty.watches = how
    access = tmp_path / "kubeconfig"
    prow_plane.service_account_kubeconfig(namespace, access, address=faulty.url, account="manual-trigger")
    caller = start(access)
    with ThreadPoolExecutor(1) as elsewhere:
        answering = elsewhere.submit(caller.trigger)
        until(lambda: len(faulty.watched) > 4)
        faulty.watches = "pass"
        prow.pick_up(prow.jobs()[0], "1234")
        answer = answering.result()
    assert (answer.status_code, answer.get_json()["build_id"]) == (201, "1234")
    assert faulty.watched[4] - faulty.watched[0] >= 0.07 + 0.14 + 0.28 + 0.56
    registry = components_of(caller.client.application).metrics.registry
    assert (registry.get_sample_value("manual_trigger_watches_cut_total") or 0) >= 4


def test_a_token_that_was_replaced_is_read_again(
    start: Start, plank: Plank, prow_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    token, access = tmp_path / "account-token", tmp_path / "kubeconfig"
    token.write_text("an-unknown-token\n")
    prow_plane.kubeconfig(access, {"tokenFile": str(token)})
    caller = start(access)
    answer = caller.trigger()
    assert (answer.status_code, answer.get_json()["code"]) == (502, "prow_forbidden")
    token.write_text(prow_plane.token(namespace, "manual-trigger"))
    answer = caller.trigger()
    assert answer.status_code == 201
    assert answer.get_json()["build_id"]
