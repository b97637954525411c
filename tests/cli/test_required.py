"""The commands against a service that requires credentials."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cimaster.web.identity.roles import Role
from tests.cli.conftest import Run
from tests.replica import Replica
from tests.required import bearer, environment, name_of, token_of

PERSON, ADMIN = name_of(Role.PERSON), name_of(Role.ADMIN)
pytestmark = pytest.mark.slow


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    """A service that requires credentials, with one cluster."""
    store = f"sqlite:{tmp_path / 'pool.db'}"
    with Replica(tmp_path, CIMASTER_STORE=store, **environment(tmp_path / "files")) as replica:
        replica.http.headers.update(bearer(ADMIN))
        answer = replica.get("/addcluster", cluster="cluster-01", region="r")
        assert answer.ok, answer.text
        yield replica


@pytest.fixture
def token_files(tmp_path: Path) -> dict[str, str]:
    """The token files of a person and of an admin, by caller."""
    files = {name: tmp_path / f"{name}.token" for name in (PERSON, ADMIN)}
    for name, file in files.items():
        file.write_text(token_of(name))
    return {name: str(file) for name, file in files.items()}


def test_the_name_is_that_of_the_token(replica: Replica, run: Run, token_files: dict[str, str]) -> None:
    person, admin = token_files[PERSON], token_files[ADMIN]
    held = run("hold", "cluster-01", "--token-file", person, CIMASTER_NAME="", LOGNAME="mallory")
    assert held.stdout.startswith(f"cluster cluster-01 is held by {PERSON} until"), held.stderr
    disabled = run("disable", "cluster-01", "--token-file", admin, CIMASTER_NAME="", LOGNAME="mallory")
    assert disabled.returncode == 0, disabled.stderr
    assert "mallory" not in replica.get("/history").text


def test_a_given_name_is_sent_with_the_token(run: Run, token_files: dict[str, str]) -> None:
    refused = run("hold", "cluster-01", "--token-file", token_files[PERSON], CIMASTER_NAME="bob")
    assert f"user bob is not authorized: you are {PERSON}; leave name out" in refused.stderr


def test_a_refused_credential_leads_to_the_option(run: Run, tmp_path: Path) -> None:
    without = run("hold", "cluster-01")
    assert without.returncode == 1
    assert without.stderr.endswith("; name the file with your token with --token-file or CIMASTER_CLIENT_TOKEN_FILE\n")
    (tmp_path / "unknown.token").write_text("unknown-t0ken")
    unknown = run("list", CIMASTER_CLIENT_TOKEN_FILE=str(tmp_path / "unknown.token"))
    assert f"; name another file than {tmp_path}/unknown.token with --token-file or" in unknown.stderr
    assert "unknown-t0ken" not in unknown.stderr
