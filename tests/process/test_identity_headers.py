"""The headers that say who sent a request, as a real server receives them: repeated, misspelt, from elsewhere."""

from collections.abc import Iterator

import pytest

from tests.process.raw import Answer, connect, read
from tests.replica import Replica
from tests.required import PROXY_SECRET, token_of, write_files

PROXY, ELSEWHERE = "127.0.0.1", "127.0.0.2"
SECRET = f"X-CIMaster-Proxy-Secret: {PROXY_SECRET}"
ALICE = "X-Forwarded-User: alice"
DEVELOPERS = "X-Forwarded-Groups: ops,developers"
TOKEN = f"Authorization: Bearer {token_of('person-1')}"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica that requires credentials; its proxy connects from one loopback address."""
    folder = tmp_path_factory.mktemp("replica")
    files = write_files(folder / "files")
    with Replica(
        folder,
        CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}",
        CIMASTER_AUTH="required",
        CIMASTER_TOKEN_FILE=str(files.tokens),
        CIMASTER_ROLES_FILE=str(files.roles),
        CIMASTER_PROXY_SECRET_FILE=str(files.proxy_secret),
        CIMASTER_TRUSTED_PROXIES=PROXY,
    ) as replica:
        yield replica


def send(replica: Replica, *headers: str, source: str = PROXY) -> Answer:
    """Ask for the clusters, which needs the role reader; in the pool of this test, its group gives it to alice."""
    lines = ["GET /clusters HTTP/1.1", "Host: localhost", "Accept: text/plain", *headers, "", ""]
    with connect(replica, "\r\n".join(lines).encode(), source=source) as client:
        return read(client)


def test_a_proxy_gives_a_caller_its_groups(replica: Replica) -> None:
    assert send(replica, SECRET, ALICE, DEVELOPERS).status == 200
    assert send(replica, SECRET, ALICE).refusal == (403, "not_allowed")
    assert send(replica, SECRET).refusal == (401, "no_credential")
    assert send(replica, SECRET, TOKEN).status == 200


def test_the_same_headers_are_refused_from_elsewhere(replica: Replica) -> None:
    for headers in ((SECRET, ALICE, DEVELOPERS), (ALICE,), (DEVELOPERS,), (SECRET,), (TOKEN, ALICE)):
        assert send(replica, *headers, source=ELSEWHERE).refusal == (400, "bad_proxy_header")
    assert send(replica, TOKEN, source=ELSEWHERE).status == 200
    assert send(replica, TOKEN, "X-Forwarded-For: 127.0.0.1", source=ELSEWHERE).status == 200


@pytest.mark.parametrize("repeated", [SECRET, ALICE, DEVELOPERS, "x-forwarded-user: bob", "X-FORWARDED-GROUPS:"])
def test_a_repeated_header_is_refused(replica: Replica, repeated: str) -> None:
    answer = send(replica, SECRET, ALICE, DEVELOPERS, repeated)
    assert answer.refusal == (400, "bad_request")
    name = repeated.partition(":")[0]
    assert f"the request has the header {name.title()} more than once: send it once".encode() in answer.body


def test_a_request_with_two_tokens_is_refused(replica: Replica) -> None:
    assert send(replica, TOKEN, TOKEN).refusal == (400, "bad_request")


@pytest.mark.parametrize("header", ["X_Forwarded_Groups: developers", "X-Forwarded_Groups: developers"])
def test_a_header_with_underscores_means_nothing(replica: Replica, header: str) -> None:
    assert send(replica, SECRET, ALICE, header).refusal == (403, "not_allowed")
    assert send(replica, header).refusal == (401, "no_credential")


def test_other_headers_may_be_repeated(replica: Replica) -> None:
    assert send(replica, TOKEN, "X-Other: 1", "X-Other: 2", "Accept: application/json").status == 200


def test_in_open_mode_these_headers_mean_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("open")
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
        assert send(replica, ALICE, ALICE, DEVELOPERS, TOKEN, TOKEN).status == 200
