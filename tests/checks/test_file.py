"""The operator's file of checks: what it may say, what it may not, and what happens when it changes."""

from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from cimaster.checks import DefinedChecks, check_file, read
from cimaster.checks.command import CommandCheck
from cimaster.checks.http import HttpCheck
from cimaster.checks.prowjob import ProwjobCheck
from cimaster.common.settings import BadSetting
from cimaster.pool.records.cluster import Cluster
from cimaster.settings import Settings

CLUSTER = Cluster.new({"name": "c-1", "status": "finished", "region": "us-west", "purpose": "perf"})
PING = "[ping]\nkind = http\nurl = https://{cluster}.example.com/healthz\n"
PASS, FAIL = "[it]\nkind = command\nprogram = true\n", "[it]\nkind = command\nprogram = false\n"


def test_each_kind_is_read_with_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIMASTER_PROW_URL", "http://manual-trigger:8081")
    wipe, reset = "kind=command\nprogram = sh -c 'exit 0'", "kind = prowjob\njob = reset-{cluster}"
    assert read(f"# ours\n{PING}\n[wipe]\n{wipe}\n[reset]\n{reset}\n") == {
        "ping": HttpCheck("ping", "https://{cluster}.example.com/healthz", 200, "", timedelta(seconds=10)),
        "wipe": CommandCheck("wipe", ("sh", "-c", "exit 0"), (), timedelta(minutes=10)),
        "reset": ProwjobCheck("reset", "reset-{cluster}", "master", "{cluster}", timedelta(hours=1)),
    }


def test_every_key_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIMASTER_PROW_URL", "http://manual-trigger:8081")
    text = (
        f"{PING}status = 204\ntimeout = 1m\n"
        "[wipe]\nkind = command\nprogram = true\nenvironment = TOKEN, HOST\ntimeout = 1h30m\n"
        "[reset]\nkind = prowjob\njob = reset\nbranch = main\nuser = bot-{region}\ntimeout = 2h\n"
    )
    ping, wipe, reset = read(text).values()
    assert isinstance(ping, HttpCheck)
    assert (ping.status, ping.timeout) == (204, timedelta(minutes=1))
    assert wipe == CommandCheck("wipe", ("true",), ("TOKEN", "HOST"), timedelta(minutes=90))
    assert reset == ProwjobCheck("reset", "reset", "main", "bot-{region}", timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[ping]\nurl = https://example.com", r"\[ping\] has no known kind: expected kind = http, command, prowjob"),
        ("[ping]\nkind = ftp", r"\[ping\] has no known kind"),
        (f"{PING}tiemout = 3s", r"\[ping\] has the unknown key tiemout: expected url, status, ca_file, timeout"),
        ("[ping]\nkind = http", r"\[ping\] has no url: add it"),
        ("[wipe]\nkind = command", r"\[wipe\] has no program: add it"),
        ("[reset]\nkind = prowjob", r"\[reset\] has no job: add it"),
        (f"{PING}timeout = 10", r"\[ping\] timeout is '10': expected a duration such as"),
        (f"{PING}timeout = 2d", r"\[ping\] timeout is '2d': expected .* at most 1d"),
        (f"{PING}status = 99", r"\[ping\] status is '99': expected a status of HTTP"),
        (f"{PING}ca_file = /no/such.pem", r"\[ping\] ca_file '/no/such.pem' cannot be read: No such file"),
        ("[ping]\nkind = http\nurl = https://{cluster}", r"\[ping\] url is 'https://{cluster}': expected a domain"),
        ("[wipe]\nkind = command\nprogram = wipe {cluster}", r"\[wipe\] program is .*: expected no placeholders"),
        ("[wipe]\nkind = command\nprogram = 'open", r"\[wipe\] program is .*: expected a program and its arguments"),
        ("[wipe]\nkind = command\nprogram = /no/such", r"\[wipe\] program '/no/such' does not exist or cannot be run"),
        ("[reset]\nkind = prowjob\njob = {job}", r"\[reset\] job is '{job}': expected no other braces"),
        ("[reset]\nkind = prowjob\njob = reset", r"\[reset\] CIMASTER_PROW_URL is not set"),
        ("[my check]\nkind = command\nprogram = true", r"\[my check\] is not a name for a check"),
        ("[none]\nkind = command\nprogram = true", r"\[none\] is not a name for a check"),
        (f"{PING}{PING}", r"line +4\]: section 'ping' already exists"),
        (f"{PING}url = https://a.example.com", r"option 'url' in section 'ping' already exists"),
        ("kind = http", "line 1 belongs to no section: write a line such as .name. before it"),
        ("[ping]\nkind", "line 2 cannot be read: expected .name., or key = value"),
    ],
)
def test_a_mistake_is_named_with_its_section_and_key(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(text)


def test_a_bad_file_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "checks.ini"
    settings = Settings(checks_file=str(path))
    with pytest.raises(BadSetting, match=r"CIMASTER_CHECKS_FILE is .*, which cannot be read: No such file"):
        check_file(settings)
    path.write_text("[ping]\nkind = ftp")
    with pytest.raises(
        BadSetting, match=r"CIMASTER_CHECKS_FILE is .*, which cannot be used: \[ping\] has no known kind"
    ):
        check_file(settings)
    path.write_bytes(b"[ping]\nkind = \xff")
    with pytest.raises(BadSetting, match="save it as UTF-8"):
        check_file(settings)
    path.write_text(PING)
    check_file(settings)
    check_file(Settings())


def run(checks: DefinedChecks, name: str = "it") -> str:
    """Run a check on the cluster of these tests."""
    return checks.run(name, CLUSTER, "check-1", Event())


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "checks.ini"
    path.write_text(PASS)
    checks = DefinedChecks(str(path))
    assert run(checks) == ""
    path.write_text(f"{FAIL}\n{PING}")
    assert run(checks) == "false ended with 1: it printed no error"
    assert checks.names == ["it", "ping"]


def test_the_last_good_definitions_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "checks.ini"
    path.write_text(PASS)
    checks = DefinedChecks(str(path))
    assert checks.names == ["it"]
    path.write_text("[it]\nkind = ftp")
    assert run(checks) == ""
    assert "[it] has no known kind" in caplog.text
    path.unlink()
    assert run(checks) == ""
    path.write_text(FAIL)
    assert "ended with 1" in run(checks)


def test_a_check_that_is_not_defined_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "checks.ini"
    path.write_text(PASS)
    reason = f"ping is not defined in {path}: an operator must add it, or an admin choose another one"
    assert run(DefinedChecks(str(path)), "ping") == reason
    assert run(DefinedChecks("")) == "it is not defined: an operator must set CIMASTER_CHECKS_FILE"
    assert DefinedChecks("").names == []


def test_a_long_reason_is_cut_and_made_printable(tmp_path: Path) -> None:
    path = tmp_path / "checks.ini"
    path.write_text("[it]\nkind = command\nprogram = sh -c 'printf \"%0600d\\033[1m\" 7 >&2; exit 1'\n")
    reason = run(DefinedChecks(str(path)))
    assert len(reason) == 500
    assert reason.isprintable()
