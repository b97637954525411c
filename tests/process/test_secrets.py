"""No secret of a caller or an operator appears in anything that the service writes, whatever requests it gets."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cimaster.settings import Settings
from cimaster.web.endpoints import ENDPOINTS
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.sessions import Sessions
from tests import required
from tests.manual_trigger.process import no_cluster
from tests.process.raw import connect
from tests.replica import Replica
from tests.required import PROXY_SECRET, SESSION_KEY, bearer, callers, token_of
from tests.web.identity import made_tokens

GUESSED = "a-token-that-was-guessed-or-revoked"
ACCOUNT = made_tokens.token()  # the API server that could review it is away
BY_PROXY = {"X-Forwarded-User": "alice", "X-Forwarded-Groups": "developers", "X-CIMaster-Proxy-Secret": PROXY_SECRET}
ADMIN = token_of("admin-1")
PARAMETERS = {"cluster": "cluster-01", "region": "r", "build": "1", "job": "e2e", "request_id": "r-1", "reason": "x"}
MALFORMED = [
    f"Authorization: Bearer {ADMIN}\x01",
    f"Authorization : Bearer {ADMIN}",
    f"Authorization\x00: Bearer {ADMIN}",
    f" Authorization: Bearer {ADMIN}",
    f"Authorization Bearer {ADMIN}",
    f"Authorization: Bearer\r\n {ADMIN}",
    f"Bearer {ADMIN}",
    f"Authorization: Bearer {ADMIN}\r\nAuthorization: Bearer {GUESSED}",
    f"X-CIMaster-Proxy-Secret: {PROXY_SECRET}\r\nX-CIMaster-Proxy-Secret: {PROXY_SECRET}",
    f"Authorization: Bearer {ADMIN}{'x' * 9000}",
    f"Authorization: Bearer {ADMIN}\r\nContent-Length: x",
    f"Content-Length: 0\r\n\r\ntoken={ADMIN}",  # a body that is longer than its header says begins the next request
    f"Authorization: Bearer {ADMIN}\r\nTransfer-Encoding: chunked\r\n\r\nzz",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the replica's files."""
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, Any]:
    """The settings of a replica that accepts each kind of credential, and logs as much as it can."""
    return {
        **required.environment(folder / "auth"),
        "CIMASTER_STORE": f"sqlite:{folder / 'pool.db'}",
        "CIMASTER_PROXY_SECRET_FILE": str(folder / "auth" / "proxy-secret"),
        "CIMASTER_TRUSTED_PROXIES": "127.0.0.1",
        "CIMASTER_SERVICE_ACCOUNTS": "on",
        "CIMASTER_LOG_LEVEL": "DEBUG",
        "KUBECONFIG": str(no_cluster(folder)),
    }


@pytest.fixture(scope="module")
def cookie(folder: Path, environment: dict[str, Any]) -> str:
    """A session of an admin."""
    sessions = Sessions(environment["CIMASTER_SESSION_KEY_FILE"])
    return sessions.sign(Identity("admin-1", Source.PROXY))


@pytest.fixture(scope="module")
def secrets(cookie: str) -> dict[str, bytes]:
    """What must not be written anywhere."""
    tokens = [*map(token_of, callers()), GUESSED]
    digests = [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
    found = [*tokens, *digests, *ACCOUNT.split("."), SESSION_KEY, PROXY_SECRET, cookie, *cookie.split(".")[1:]]
    return {secret: secret.encode() for secret in found}


@pytest.fixture(scope="module")
def written(folder: Path, environment: dict[str, Any], cookie: str) -> dict[str, bytes]:
    """Everything that a replica writes and answers while it gets good and bad requests; by its place."""
    answers: list[str] = []
    with Replica(folder, **environment) as replica:
        add = {"cluster": "cluster-01", "region": "r"}
        assert replica.http.post(f"{replica.url}/addcluster", data=add, headers=bearer("admin-1"), timeout=30).ok
        for headers in credentials(cookie):
            answers += answered(replica, headers)
        answers += [refused(replica, line) for line in MALFORMED]
        answers += [signed_in(replica, token) for token in (GUESSED, ACCOUNT)]
        metrics = requests.get(replica.metrics_url, timeout=30).content
        history = requests.get(f"{replica.url}/history?limit=1000", headers=bearer("admin-1"), timeout=30).content
    assert len(answers) > 500
    return {
        "answers": "".join(answers).encode("utf-8", "surrogateescape"),
        "metrics": metrics,
        "history": history,
        "log": replica.server.log.read_bytes(),
        "pool": b"".join(path.read_bytes() for path in folder.glob("pool.db*")),
    }


def credentials(cookie: str) -> Iterator[dict[str, str]]:
    """Yield the headers of good, bad and doubled credentials."""
    session = {"Cookie": f"cimaster_session={cookie}"}
    for name in ("admin-1", "ci-1", "person-1", "outsider"):
        yield bearer(name)
    yield from ({"Authorization": f"Bearer {GUESSED}"}, {"Authorization": f"Basic {GUESSED}"})
    yield from ({"Authorization": f"Bearer {ACCOUNT}"}, session, BY_PROXY)
    yield from ({**session, **bearer("admin-1")}, {**BY_PROXY, "X-CIMaster-Proxy-Secret": GUESSED})
    yield {**session, "Origin": "https://evil.example", "User-Agent": "Mozilla/5.0", "Accept": "text/html"}


def answered(replica: Replica, headers: dict[str, str]) -> Iterator[str]:
    """Send requests to all endpoints and some pages with these headers; yield the answers."""
    paths = [endpoint.path.replace("<name>", "cluster-01") for endpoint in ENDPOINTS]
    token = headers.get("Authorization", "").rpartition(" ")[2]  # a careless caller sends it in other headers too
    for path in (*paths, "/", "/ui/history", "/ui/admin", "/ui/whoami", "/nowhere"):
        for method, accept in (("GET", "application/json"), ("POST", "text/plain"), ("PATCH", "text/html")):
            answer = requests.request(
                method,
                replica.url + path,
                headers={"Accept": accept, "User-Agent": token, "X-Request-ID": token, **headers},
                params=PARAMETERS if path.count("/") == 1 and method == "POST" else {},
                timeout=30,
            )
            yield f"{answer.status_code} {json.dumps(dict(answer.headers))}\n{answer.text}\n"


def signed_in(replica: Replica, token: str) -> str:
    """Try to sign in with a token; return the page that refuses it."""
    answer = requests.post(f"{replica.url}/ui/signin", data={"token": token}, timeout=30)
    assert answer.status_code in (401, 503)
    return f"{answer.headers}{answer.text}"


def refused(replica: Replica, lines: str) -> str:
    """Send a malformed request; return the answer."""
    head = f"GET /clusters HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n"
    with connect(replica, head.encode("latin-1")) as client:
        answers = client.makefile("rb").read()  # the last one closes the connection
        assert b" 40" in answers or b" 43" in answers
        return answers.decode()


@pytest.mark.parametrize("place", ["answers", "metrics", "history", "log", "pool"])
def test_no_secret_is_written(written: dict[str, bytes], secrets: dict[str, bytes], place: str) -> None:
    assert len(written[place]) > 100
    assert not [name for name, secret in secrets.items() if secret in written[place]]


def test_the_log_is_as_full_as_it_can_be(written: dict[str, bytes]) -> None:
    """Otherwise it would prove nothing: it has lines of requests, of refusals, of failed reviews, and of DEBUG."""
    lines = [json.loads(line) for line in written["log"].splitlines()]
    assert {"DEBUG", "INFO", "WARNING"} <= {line["level"] for line in lines}
    assert {"bad_credential", "two_credentials", "bad_proxy_header", "identity_unavailable", "not_allowed"} <= {
        line.get("code") for line in lines
    }
    assert {"token", "session", "proxy"} <= {line.get("source") for line in lines}
    assert not [line for line in lines if "exception" in line]


def test_no_secret_is_in_the_settings(environment: dict[str, Any], secrets: dict[str, bytes]) -> None:
    shown = repr(Settings.from_environ(environment))
    assert environment["CIMASTER_TOKEN_FILE"] in shown
    assert not [secret for secret in secrets if secret in shown]
