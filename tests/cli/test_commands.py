"""The commands beside `run`, against a real service."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start, state
from tests.conditions import until
from tests.process.test_waiting import tickets
from tests.replica import Replica

pytestmark = pytest.mark.slow
JOB = ("--job", "e2e", "--build", "7")


def test_a_job_takes_renews_and_finishes(replica: Replica, run: Run) -> None:
    taken = run("take", *JOB, "--ttl", "2h", "-o", "wide")
    cluster, lease = taken.stdout.split()
    assert (cluster, state(replica)) == ("cluster-01", "occupied")
    assert "ends at" in run("renew", cluster, "--lease", lease, "--ttl", "3h").stdout
    assert run("finish", cluster, "--job", "other", "--build", "1").returncode == 1
    assert run("finish", cluster, "--lease", lease).stdout == "cluster cluster-01 is finished\n"
    assert state(replica) == "vacant"


def test_a_take_prints_the_bare_name_or_all(run: Run) -> None:
    assert run("take", *JOB).stdout == "cluster-01\n"
    assert run("finish", "cluster-01", *JOB).returncode == 0
    assert json.loads(run("take", *JOB, "--json").stdout)["leaseId"]


def test_a_take_that_is_ended_leaves_the_queue(replica: Replica, run: Run, start: Start) -> None:
    assert run("take", "--job", "first", "--build", "1").returncode == 0
    process = start("take", *JOB, "--wait", "30m")
    until(lambda: tickets(replica))
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert (process.returncode, printed, tickets(replica)) == (143, "", {})


def test_a_waiting_request_is_listed_and_taken_out(replica: Replica, run: Run, start: Start) -> None:
    assert run("take", "--job", "first", "--build", "1").returncode == 0
    process = start("take", *JOB, "--wait", "30m")
    until(lambda: tickets(replica))
    assert "e2e #7" in run("queue").stdout
    assert "e2e #7" in run("queue", "-o", "wide").stdout
    request_id = run("queue", "-o", "name").stdout.strip()
    assert run("leave", request_id).returncode == 0
    assert "queue" in process.communicate(timeout=60)[1]
    assert process.returncode == 1


def test_a_person_holds_extends_hands_over_and_releases(replica: Replica, run: Run) -> None:
    held = run("hold", "any", "--name", "alice", "--desc", "disk errors", "--duration", "2h", "-o", "name")
    assert (held.stdout, state(replica)) == ("cluster-01\n", "held")
    assert "until" in run("extend", "cluster-01", "4h", "--name", "alice").stdout
    refused = run("release", "cluster-01", "--name", "bo")
    assert refused.returncode == 1
    assert "user bo is not authorized" in refused.stderr
    assert "bo" in run("hand-over", "cluster-01", "bo", "--name", "alice").stdout
    assert run("release", "cluster-01", "--name", "bo").returncode == 0
    assert state(replica) == "vacant"


def test_an_admin_keeps_the_inventory(replica: Replica, run: Run) -> None:
    facts = ("--region", "r", "--label", "gpu=yes", "--label", "size=l")
    assert run("add", "cluster-02", *facts).stdout == "cluster cluster-02 is added successfully\n"
    assert run("update", "cluster-02", "--note", "new switch").returncode == 0
    assert run("list", "--label", "size=l", "-o", "name").stdout == "cluster-02\n"
    assert "new switch" in run("list", "-o", "wide").stdout
    assert run("update", "cluster-02", "--clear", "note").returncode == 0
    assert "new switch" not in run("list", "-o", "wide").stdout
    assert run("disable", "cluster-02", "--reason", "repair").returncode == 0
    assert state(replica, "cluster-02") == "disabled"
    assert run("enable", "cluster-02").returncode == 0
    assert run("delete", "cluster-02").returncode == 0
    assert run("show", "cluster-02").returncode == 1


def test_a_hold_is_shared_and_made_for_another(replica: Replica, run: Run) -> None:
    assert "alice" in run("hold", "cluster-01", "--to", "alice", "--with", "carol,dave").stdout
    assert "carol,dave" in run("list", "-o", "wide").stdout
    assert run("extend", "cluster-01", "8h", "--name", "dave").returncode == 0
    assert run("release", "cluster-01", "--name", "erin").returncode == 1
    assert run("release", "cluster-01", "--name", "carol").returncode == 0
    assert state(replica) == "vacant"


def test_a_person_waits_for_a_hold_without_a_connection(replica: Replica, run: Run) -> None:
    assert run("take", *JOB).returncode == 0
    waits = ("hold", "any", "--name", "alice", "--wait", "2d", "--duration", "4h")
    assert "alice is number 1 in the queue" in run(*waits).stdout
    ticket = run(*waits, "-o", "name").stdout.strip()
    assert run("queue", "-o", "name").stdout.strip() == ticket
    assert "hold" in run("queue", "-o", "wide").stdout.split()
    assert run("leave", ticket).returncode == 0
    assert run("queue", "-o", "name").stdout == ""
    assert run(*waits).returncode == 0
    assert run("finish", "cluster-01", *JOB).returncode == 0
    until(lambda: run("list", "--holder", "alice", "-o", "name").stdout == "cluster-01\n")


def test_the_health_of_a_cluster_is_set(replica: Replica, run: Run) -> None:
    assert run("health", "cluster-01", "quarantined", "--reason", "disk errors").returncode == 0
    assert state(replica) == "quarantined"
    assert "quarantined" in run("list").stdout
    assert "disk errors" in run("list", "-o", "wide").stdout
    assert run("health", "cluster-01", "sick").returncode == 2
    assert run("health", "cluster-01", "ok", CIMASTER_NAME="alice").returncode == 1
    assert json.loads(run("health", "cluster-01", "ok", "--json").stdout)["state"] == "vacant"


def test_the_rules_of_a_purpose_are_set(run: Run) -> None:
    assert "quarantined" in run("set-purpose", "tess-ci", "--after-expiry", "quarantine").stdout
    assert "quarantined" in run("purposes").stdout
    assert "quarantine" in run("purposes", "-o", "wide").stdout
    assert run("purposes", "-o", "name").stdout == "tess-ci\n"
    (rules,) = json.loads(run("purposes", "--json").stdout)["purposes"]
    assert (rules["purpose"], rules["afterExpiry"]) == ("tess-ci", "quarantine")
    assert run("set-purpose", "tess-ci").returncode == 2
    assert run("set-purpose", "tess-ci", "--after-expiry", "vacant", CIMASTER_NAME="alice").returncode == 1


def test_a_policy_is_set_and_removed(run: Run) -> None:
    terms = ("--min-vacant", "3", "--max-total", "20", "--hours", "Mon-Fri 07:00-19:00 Europe/Berlin")
    assert run("set-policy", "tess-ci", *terms).returncode == 0
    assert "Mon-Fri 07:00-19:00 Europe/Berlin" in run("policies", "-o", "wide").stdout
    (policy,) = json.loads(run("policies", "--purpose", "tess-ci", "--json").stdout)["policies"]
    assert (policy["minVacant"], policy["maxTotal"]) == (3, 20)
    assert run("policies", "-o", "name").stdout == "tess-ci\n"
    assert run("remove-policy", "tess-ci").returncode == 0
    assert run("policies", "-o", "name").stdout == ""
    assert run("set-policy", "tess-ci", "--min-vacant", "many").returncode == 2


def test_only_an_admin_may(run: Run) -> None:
    assert run("disable", "cluster-01", CIMASTER_NAME="alice").returncode == 1


def test_creations_need_a_provisioner(run: Run) -> None:
    refused = run("create", "--purpose", "tess-ci")
    assert refused.returncode == 1
    assert "no provisioner is configured" in refused.stderr
    assert json.loads(run("creations", "--json").stdout)["creations"] == []
    assert run("creations", "--retry", "c-0").returncode == 1


def test_a_cluster_and_its_history_are_shown(run: Run) -> None:
    assert "name       cluster-01" in run("show", "cluster-01").stdout
    assert json.loads(run("show", "cluster-01", "--json").stdout)["labels"] == {"a/gpu": "yes"}
    assert "added" in run("history", "--cluster", "cluster-01", "--since", "1h").stdout
    assert run("history", "-o", "name").stdout == "cluster-01\n"


def test_a_watch_lists_what_changes(replica: Replica, run: Run, start: Start) -> None:
    process = start("list", "--watch", "--interval", "1s")
    assert process.stdout
    lines = process.stdout
    until(lambda: "vacant" in lines.readline())
    assert replica.get("/getvacant", job="e2e", build="7").ok
    until(lambda: "occupied by e2e #7" in lines.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("list", "--state", "no-such-state"), 2),
        (("list", "--no-such-option"), 2),
        (("no-such-command",), 2),
        (("finish", "cluster-01"), 2),
        (("show", "no-such-cluster"), 1),
        (("list", "--server", "http://127.0.0.1:9", "--timeout", "0s"), 3),
        (("list", "--server", "http://no-such-host.invalid", "--timeout", "0s"), 3),
    ],
)
def test_what_went_wrong_is_in_the_exit_status(run: Run, arguments: tuple[str, ...], status: int) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert len(done.stderr.splitlines()) <= 4, done.stderr


def test_data_cannot_act_on_the_terminal(replica: Replica, run: Run, tmp_path: Path) -> None:
    """An admin who edits the stored data by hand may write anything into it."""
    record = {
        "name": "cluster-09",
        "region": "\u202er",
        "status": "finished",
        "note": "\x1b[31m",
        "labels": {"a": "\x9b"},
    }
    (tmp_path / "odd.json").write_text(json.dumps([record]))
    store = replica.server.environment["CIMASTER_STORE"]
    done = run("import", str(tmp_path / "odd.json"), "--replace", CIMASTER_STORE=store)
    assert done.returncode == 0, done.stderr
    until(lambda: "cluster-09" in replica.get("/clusters").text)
    for output in ("table", "wide", "json"):
        printed = run("list", "-o", output).stdout + run("show", "cluster-09", "-o", output).stdout
        assert "cluster-09" in printed
        assert not set(printed) & {"\x1b", "\x9b", "\u202e"}, printed


def test_the_shell_completes(run: Run) -> None:
    words = {"_CIMASTER_COMPLETE": "bash_complete", "COMP_WORDS": "cimaster hand", "COMP_CWORD": "1"}
    assert run(**words).stdout == "plain,hand-over\n"
    assert "complete" in run(_CIMASTER_COMPLETE="bash_source").stdout


def test_the_shell_completes_names_of_clusters(run: Run) -> None:
    words = {"_CIMASTER_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    assert run(**words, COMP_WORDS="cimaster release clu").stdout == "plain,cluster-01\n"
    assert run(**words, COMP_WORDS="cimaster release x").stdout.strip() == ""
    away = run(**words, COMP_WORDS="cimaster release clu", CIMASTER_SERVER="http://127.0.0.1:9")
    assert (away.stdout.strip(), away.stderr) == ("", "")


def test_every_command_has_an_example(run: Run) -> None:
    listed = run("--help").stdout
    for command in ("run", "take", "hold", "hand-over", "list", "creations", "delete", "serve"):
        assert command in listed
    assert "Example:\n  cimaster run --purpose tess-ci --wait 30m -- make e2e" in run("run", "--help").stdout


def test_a_closed_pipe_is_no_traceback(start: Start) -> None:
    process = start("list")
    assert process.stdout
    process.stdout.close()
    process.wait(60)
    assert process.stderr
    assert "Traceback" not in process.stderr.read()
