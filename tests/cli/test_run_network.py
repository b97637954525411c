"""`cimaster run` over a network that breaks, and what is left when it is killed: no process, no ticket, no lease."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start, state
from tests.cli.tcp_proxy import TCPProxy
from tests.cli.test_results import results
from tests.cli.test_run import CHATTY, JOB, alive, errors_of, free, line, occupy, until_file, until_said
from tests.conditions import until
from tests.process.test_waiting import tickets
from tests.replica import Replica

pytestmark = pytest.mark.slow


@pytest.fixture
def network(replica: Replica) -> Iterator[TCPProxy]:
    """The network between the client and the service."""
    with TCPProxy(int(replica.url.rpartition(":")[2])) as network:
        yield network


@pytest.fixture
def environment(environment: dict[str, str], network: TCPProxy) -> dict[str, str]:
    """What a shell has that reaches the service over this network."""
    return {**environment, "CIMASTER_SERVER": network.url}


def take(replica: Replica, build: str) -> bool:
    """Have another build take the cluster, past the network; say whether it got it."""
    return replica.get("/getvacant", job="second", build=build).ok


def test_a_cut_does_not_disturb_the_command(replica: Replica, network: TCPProxy, start: Start, tmp_path: Path) -> None:
    process = start("run", *JOB, "--ttl", "1h", "--renew-every", "1s", "--", "sh", "-c", until_file(tmp_path / "end"))
    assert line(process) == "ready"
    network.cut()
    until_said(process, "could not be renewed")
    renewals = replica.server.log.read_text().count("/renewlease")
    network.restore()
    until(lambda: replica.server.log.read_text().count("/renewlease") > renewals)
    (tmp_path / "end").touch()
    assert "is finished" in errors_of(process)
    assert (process.returncode, state(replica), results(replica)) == (0, "vacant", ["pass"])


def test_a_cut_at_the_end_is_waited_for(replica: Replica, network: TCPProxy, start: Start, tmp_path: Path) -> None:
    process = start("run", *JOB, "--", "sh", "-c", f"{until_file(tmp_path / 'end')}; exit 3")
    assert line(process) == "ready"
    network.cut()
    (tmp_path / "end").touch()
    until_said(process, "trying again")
    assert state(replica) == "occupied"
    network.restore()
    assert "is finished" in errors_of(process)
    assert (process.returncode, state(replica), results(replica)) == (3, "vacant", ["fail"])


def test_a_finish_whose_answer_is_lost_counts_once(
    replica: Replica, network: TCPProxy, start: Start, tmp_path: Path
) -> None:
    process = start("run", *JOB, "--", "sh", "-c", f"{until_file(tmp_path / 'end')}; exit 3")
    assert line(process) == "ready"
    network.lose_answers()
    (tmp_path / "end").touch()
    network.until_lost()
    assert state(replica) == "vacant"
    assert take(replica, "8")
    network.cut()
    network.restore()
    assert "is finished" in errors_of(process)
    assert (process.returncode, state(replica), results(replica)) == (3, "occupied", ["fail"])


def test_a_take_whose_answer_is_lost_is_made_once(replica: Replica, network: TCPProxy, start: Start) -> None:
    assert replica.get("/addcluster", cluster="cluster-02", region="r", name="root").ok
    network.lose_answers()
    process = start("run", *JOB, "--", "cimaster", "list", "--state", "occupied", "-o", "name")
    network.until_lost()
    network.cut()
    network.restore()
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "cluster-01\n"), errors
    assert (state(replica), state(replica, "cluster-02")) == ("vacant", "vacant")


def test_a_cut_keeps_the_place_in_the_queue(replica: Replica, network: TCPProxy, start: Start) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "tested")
    until(lambda: tickets(replica))
    network.cut()
    until_said(process, "trying again")
    network.restore()
    until(lambda: tickets(replica) == {"7": True})
    free(replica)
    assert process.communicate(timeout=60)[0] == "tested\n"
    assert (process.returncode, state(replica), tickets(replica)) == (0, "vacant", {})


def test_a_run_that_is_ended_during_a_cut_blocks_no_other(replica: Replica, network: TCPProxy, start: Start) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "never")
    until(lambda: tickets(replica))
    network.cut()
    until_said(process, "trying again")
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (143, "")
    assert "did not leave the queue" in errors
    free(replica)
    until(lambda: take(replica, "8"))


def test_a_run_that_is_killed_while_it_waits_blocks_no_other(replica: Replica, start: Start) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "never")
    until(lambda: tickets(replica))
    process.kill()
    until(lambda: tickets(replica) == {"7": False})
    free(replica)
    until(lambda: take(replica, "8"))


def test_a_lease_that_runs_out_during_a_cut_is_lost(replica: Replica, network: TCPProxy, start: Start) -> None:
    options = ("--ttl", "1m", "--renew-every", "50s", "--kill-on-lost-lease")
    process = start("run", *JOB, *options, "--", "sh", "-c", CHATTY)
    child = line(process)
    network.cut()
    until(lambda: take(replica, "8"), longest=100)
    network.restore()
    errors = errors_of(process)
    assert "could not be renewed" in errors
    assert "WARNING: the lease of cluster-01 is lost" in errors
    assert process.returncode == 128 + signal.SIGTERM
    until(lambda: not alive(child))
    assert state(replica) == "occupied", "the next job keeps its cluster"


def test_a_command_that_ignores_its_end_is_killed(replica: Replica, network: TCPProxy, start: Start) -> None:
    script = f"trap '' TERM; {CHATTY}"
    process = start("run", *JOB, "--renew-every", "1s", "--kill-on-lost-lease", "--", "sh", "-c", script)
    child = line(process)
    assert replica.get("/finishtest", cluster="cluster-01", job="e2e", build="7").ok
    errors_of(process)
    assert process.returncode == 128 + signal.SIGKILL
    until(lambda: not alive(child))


def test_without_a_wait_a_cut_is_status_3(network: TCPProxy, run: Run) -> None:
    network.cut()
    done = run("run", *JOB, "--timeout", "1s", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (3, "")
    assert "cannot reach" in done.stderr
