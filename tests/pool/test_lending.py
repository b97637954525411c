"""Finishing leases that are over: the answer is a refusal or a success, whatever is stored."""

import json

import pytest

from cimaster.errors import LeaseOver
from cimaster.pool import FinishRequest, finish
from tests.pool.test_expiry import NOW, pool_of


@pytest.mark.parametrize(("how", "why"), [("expired", "its time ran out"), ("evicted", "it has ended"), ("", "ended")])
def test_a_finish_of_a_lease_that_was_not_finished_is_refused(how: str, why: str) -> None:
    ended = [{"id": "l-0", "job": "e2e", "build": "7", "how": how}]
    pool = pool_of({"name": "cluster-01", "status": "finished", "endedLeases": ended})
    with pytest.raises(LeaseOver, match=why):
        finish(pool, NOW, FinishRequest("cluster-01", lease="l-0"))
    assert json.loads(pool.find("cluster-01").text)["endedLeases"] == ended
