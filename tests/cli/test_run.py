"""`cimaster run`, with real processes, signals and a service that fails: right exit status, cluster back."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start, state
from tests.conditions import until
from tests.process.test_waiting import tickets
from tests.replica import Replica

pytestmark = pytest.mark.slow
JOB = ("--job", "e2e", "--build", "7")
ENDLESS = "echo ready; while :; do sleep 0.05; done"
CHATTY = 'sleep 300 & echo "$!"; wait'  # prints the id of a process that it started


def line(process: "subprocess.Popen[str]") -> str:
    """Wait for the next line that the command prints."""
    assert process.stdout
    return process.stdout.readline().strip()


def until_said(process: "subprocess.Popen[str]", words: str) -> None:
    """Wait until the process says something on standard error."""
    assert process.stderr
    errors = process.stderr
    until(lambda: words in errors.readline())


def occupy(replica: Replica) -> None:
    """Have another job take the cluster."""
    assert replica.get("/getvacant", job="first", build="1").ok


def free(replica: Replica) -> None:
    """Have that job give it back."""
    assert replica.get("/finishtest", cluster="cluster-01", job="first", build="1").ok


def errors_of(process: "subprocess.Popen[str]") -> str:
    """Wait for the end, and return what the process wrote to standard error."""
    return process.communicate(timeout=100)[1]


def until_file(path: Path) -> str:
    """Return a script that says that it is ready, and ends when a file is there."""
    return f"echo ready; until [ -e {path} ]; do sleep 0.05; done"


def alive(process_id: str) -> bool:
    """Say whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_knows_its_cluster_and_its_status_counts(replica: Replica, run: Run) -> None:
    script = 'echo "$CIMASTER_CLUSTER $CIMASTER_CLUSTER_PURPOSE $CIMASTER_CLUSTER_REGION $CIMASTER_CLUSTER_LABEL_A_GPU"'
    done = run("run", *JOB, "--", "sh", "-c", f'{script}; [ -n "$CIMASTER_LEASE" ] && cimaster list -o name; exit 3')
    assert done.returncode == 3, done.stderr
    assert done.stdout == "cluster-01 tess-ci r yes\ncluster-01\n"
    assert state(replica) == "vacant"


def test_options_after_the_command_are_its_own(replica: Replica, run: Run) -> None:
    assert run("run", *JOB, "echo", "--json", "-o", "x").stdout == "--json -o x\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on(replica: Replica, start: Start, number: signal.Signals) -> None:
    process = start("run", *JOB, "--", "sh", "-c", f"trap 'exit 9' {number.name[3:]}; {ENDLESS}")
    assert line(process) == "ready"
    process.send_signal(number)
    assert "is finished" in errors_of(process)
    assert process.returncode == 9
    assert state(replica) == "vacant"


def test_a_signal_reaches_all_processes_of_the_command(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--", "sh", "-c", CHATTY)
    child = line(process)
    process.send_signal(signal.SIGTERM)
    errors_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    until(lambda: not alive(child))
    assert state(replica) == "vacant"


def test_closed_outputs_do_not_keep_the_cluster(replica: Replica, start: Start, tmp_path: Path) -> None:
    process = start("run", *JOB, "--", "sh", "-c", f"{until_file(tmp_path / 'end')}; exit 8")
    assert line(process) == "ready"
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stderr.close()
    (tmp_path / "end").touch()
    assert process.wait(60) == 8
    assert state(replica) == "vacant"


def test_a_command_that_a_signal_ends_has_its_status(replica: Replica, run: Run) -> None:
    assert run("run", *JOB, "--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL
    assert state(replica) == "vacant"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_waits_ends_the_wait(replica: Replica, start: Start, number: signal.Signals) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "never")
    until(lambda: tickets(replica))
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert (process.returncode, printed) == (128 + number, "")
    assert tickets(replica) == {}
    free(replica)
    assert state(replica) == "vacant"


def test_a_killed_run_ends_its_command_and_the_lease_runs_out(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--ttl", "1m", "--", "sh", "-c", CHATTY)
    child = line(process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: len(children.read_text().split()) == 2)  # the watchdog starts right after the command
    process.kill()
    until(lambda: not alive(child))
    assert state(replica) == "occupied"
    until(lambda: state(replica) == "vacant", longest=100)


def test_a_restart_of_the_service_does_not_disturb(replica: Replica, start: Start, tmp_path: Path) -> None:
    process = start("run", *JOB, "--", "sh", "-c", until_file(tmp_path / "end"))
    assert line(process) == "ready"
    replica.server.crash()
    (tmp_path / "end").touch()
    until_said(process, "trying again")
    replica.start()
    assert "is finished" in errors_of(process)
    assert process.returncode == 0
    assert state(replica) == "vacant"


def test_a_cluster_that_cannot_be_given_back_is_warned_of(replica: Replica, start: Start, tmp_path: Path) -> None:
    script = until_file(tmp_path / "end")
    process = start("run", *JOB, "--timeout", "0s", "--", "sh", "-c", f"{script}; exit 6")
    assert line(process) == "ready"
    replica.server.crash()
    (tmp_path / "end").touch()
    assert "WARNING: cluster-01 was not given back: cannot reach" in errors_of(process)
    assert process.returncode == 6


def test_a_restart_of_the_service_keeps_the_place(replica: Replica, start: Start) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "tested")
    until(lambda: tickets(replica))
    replica.server.crash()
    until_said(process, "trying again")
    replica.start()
    until(lambda: tickets(replica) == {"7": True})
    free(replica)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "tested\n"), errors
    assert state(replica) == "vacant"


def test_a_service_that_is_away_is_status_3(replica: Replica, run: Run) -> None:
    replica.server.stop()
    done = run("run", *JOB, "--timeout", "1s", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (3, "")
    assert "connection refused; trying again" in done.stderr


def test_a_full_pool_is_status_4(replica: Replica, run: Run) -> None:
    occupy(replica)
    done = run("run", *JOB, "--", "echo", "never")
    assert (done.returncode, done.stdout) == (4, "")
    assert "no tess-ci cluster is vacant: 1 occupied" in done.stderr


def test_a_wait_that_is_over_is_status_4(replica: Replica, run: Run) -> None:
    occupy(replica)
    done = run("run", *JOB, "--wait", "4s", "--", "echo", "never")  # the first answer comes after a second
    assert (done.returncode, done.stdout) == (4, "")
    assert "number 1 in the queue" in done.stderr
    assert tickets(replica) == {}


def test_the_limit_of_a_job_is_waited_for(tmp_path: Path, start: Start, environment: dict[str, str]) -> None:
    store = f"sqlite:{tmp_path / 'limited.db'}"
    with Replica(tmp_path, "limited", CIMASTER_STORE=store, CIMASTER_MAX_CLUSTERS_PER_JOB="1") as limited:
        for cluster in ("cluster-01", "cluster-02"):
            assert limited.get("/addcluster", cluster=cluster, region="r", name="root").ok
        assert limited.get("/getvacant", job="e2e", build="6", cluster="cluster-01").ok
        server = {"CIMASTER_SERVER": limited.url}
        refused = start("run", *JOB, "--", "echo", "never", **server)
        assert "one job may have 1" in errors_of(refused)
        assert refused.returncode == 1
        waiting = start("run", *JOB, "--wait", "30m", "--", "echo", "tested", **server)
        until(lambda: tickets(limited))
        assert limited.get("/finishtest", cluster="cluster-01", job="e2e", build="6").ok
        assert waiting.communicate(timeout=60)[0] == "tested\n"
        assert waiting.returncode == 0


def test_it_gets_its_turn(replica: Replica, start: Start) -> None:
    occupy(replica)
    process = start("run", *JOB, "--wait", "30m", "--", "echo", "tested")
    until_said(process, "number 1 in the queue")
    free(replica)
    assert process.communicate(timeout=60)[0] == "tested\n"
    assert process.returncode == 0
    assert state(replica) == "vacant"


def test_a_command_that_is_not_there_is_status_127(replica: Replica, run: Run) -> None:
    done = run("run", *JOB, "--", "no-such-command")
    assert done.returncode == 127
    assert "no-such-command: command not found" in done.stderr
    assert state(replica) == "vacant"


def test_a_command_that_cannot_be_run_is_status_126(replica: Replica, run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    assert run("run", *JOB, "--", str(tmp_path / "text")).returncode == 126
    assert state(replica) == "vacant"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--purpose", "no-such-purpose", *JOB, "--", "true"), 1),
        (("--ttl", "1y", *JOB, "--", "true"), 2),
        (("--", "true"), 2),
        (JOB, 2),
    ],
)
def test_what_cannot_be_run_is_refused(run: Run, arguments: tuple[str, ...], status: int) -> None:
    done = run("run", *arguments)
    assert done.returncode == status, done.stderr
    assert done.stderr


def test_the_ci_system_names_the_job(replica: Replica, run: Run) -> None:
    build = {"GITHUB_ACTIONS": "true", "GITHUB_JOB": "e2e", "GITHUB_RUN_ID": "118", "GITHUB_ACTOR": "alice"}
    script = "cimaster list"
    assert "occupied by e2e #118 for" in run("run", "--", "sh", "-c", script, **build).stdout


def test_the_lease_is_renewed(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--ttl", "1h", "--renew-every", "1s", "--", "sh", "-c", ENDLESS)
    assert line(process) == "ready"
    until(lambda: replica.server.log.read_text().count("/renewlease") >= 2)
    process.terminate()
    errors_of(process)
    assert state(replica) == "vacant"


def take_away(replica: Replica) -> None:
    """End the lease behind the job's back, as a finish of the same build elsewhere does."""
    assert replica.get("/finishtest", cluster="cluster-01", job="e2e", build="7").ok


def test_a_lost_lease_is_warned_of(replica: Replica, start: Start, tmp_path: Path) -> None:
    waits = until_file(tmp_path / "end")
    process = start("run", *JOB, "--renew-every", "1s", "--", "sh", "-c", f"{waits}; exit 5")
    assert line(process) == "ready"
    take_away(replica)
    until_said(process, "the lease of cluster-01 is lost")
    occupy(replica)
    (tmp_path / "end").touch()
    errors_of(process)
    assert process.returncode == 5
    assert state(replica) == "occupied", "the next job keeps its cluster"


def test_a_lost_lease_ends_the_command_on_demand(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--renew-every", "1s", "--kill-on-lost-lease", "--", "sh", "-c", CHATTY)
    child = line(process)
    take_away(replica)
    assert "the command is ended" in errors_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    until(lambda: not alive(child))


@contextmanager
def on_terminal(environment: dict[str, str], *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start `cimaster` on a terminal of its own; give its process and the other end of the terminal."""
    terminal, inner = pty.openpty()
    command = ["setsid", "--ctty", "--wait", sys.executable, "-m", "cimaster", *arguments]
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        try:
            yield process, terminal
        finally:
            process.kill()
            os.close(terminal)


def read_until(terminal: int, text: str) -> str:
    """Return what comes from a terminal up to a text."""
    seen, deadline = "", time.monotonic() + 60
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, seen
        seen += os.read(terminal, 4096).decode()
    return seen


needs_setsid = pytest.mark.skipif(not shutil.which("setsid"), reason="there is no setsid (util-linux)")


@needs_setsid
def test_a_terminal_shows_one_line_and_ctrl_c_ends_the_wait(replica: Replica, environment: dict[str, str]) -> None:
    occupy(replica)
    with on_terminal(environment, "run", *JOB, "--wait", "30m", "--", "echo", "never") as (process, terminal):
        seen = read_until(terminal, ": number 1 in the queue")
        assert "\r\x1b[Kcimaster: waiting for a tess-ci cluster" in seen
        assert "\n" not in seen
        os.write(terminal, b"\x03")
        read_until(terminal, "ended by SIGINT")
        assert process.wait(60) == 130
    assert tickets(replica) == {}


@needs_setsid
def test_a_command_reads_the_terminal_and_gets_ctrl_c_once(replica: Replica, environment: dict[str, str]) -> None:
    loop = "until [ $over ]; do sleep 0.05; done"
    script = f"trap 'echo interrupted; over=1' INT; read word; echo \"got $word\"; {loop}; echo over; exit 4"
    with on_terminal(environment, "run", *JOB, "--", "bash", "-c", script) as (process, terminal):
        read_until(terminal, "is lent to")
        os.write(terminal, b"hello\n")
        read_until(terminal, "got hello")
        os.write(terminal, b"\x03")
        assert read_until(terminal, "over").count("interrupted") == 1
        read_until(terminal, "is finished")
        assert process.wait(60) == 4
    assert state(replica) == "vacant"
