"""The token of the client: read for each request, sent only where it is safe, and never shown."""

import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cimaster.cli.client import Client
from cimaster.cli.errors import USAGE, ClientError, Unreachable
from cimaster.cli.token_file import TokenUnusable
from tests.cli.conftest import ENVIRONMENT, Run

SECRET = "s3cret-token"


class Listener(http.server.ThreadingHTTPServer):
    """A server that keeps the Authorization header of each request, and answers as an empty pool does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ListenerRequest)
        self.seen: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class ListenerRequest(http.server.BaseHTTPRequestHandler):
    """One request to it."""

    server: Listener

    def do_GET(self) -> None:
        self.server.seen.append(self.headers["Authorization"])
        self.send_response(302 if self.path.endswith("/moved") else 200)
        self.send_header("Location", f"{self.server.url}/clusters")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"clusters": []}')

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that keeps what it was sent."""
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file with a token."""
    (tmp_path / "token").write_text(f"{SECRET}\n")
    return tmp_path / "token"


def test_the_file_is_read_for_each_request(listener: Listener, token: Path) -> None:
    client = Client(listener.url, token_file=str(token))
    client.read("/clusters")
    token.write_text("another")
    client.read("/clusters")
    client.close()
    assert listener.seen == [f"Bearer {SECRET}", "Bearer another"]


def test_without_a_file_no_token_is_sent(listener: Listener) -> None:
    client = Client(listener.url)
    client.read("/clusters")
    client.close()
    assert listener.seen == [None]


def test_a_file_that_is_gone_for_a_moment_is_tried_again(listener: Listener, token: Path) -> None:
    notices: list[str] = []

    def restore(sentence: str) -> None:
        notices.append(sentence)
        token.write_text("renewed")

    client = Client(listener.url, notice=restore, token_file=str(token))
    token.unlink()
    client.read("/clusters")
    client.close()
    assert listener.seen == ["Bearer renewed"]
    assert notices == [f"cannot read the token file {token}: No such file or directory; trying again"]


def test_a_file_that_stays_away_is_an_outage(listener: Listener, token: Path) -> None:
    client = Client(listener.url, timeout=0, token_file=str(token))
    token.unlink()
    with pytest.raises(Unreachable, match="cannot read the token file"):
        client.read("/clusters")
    client.close()
    assert listener.seen == []


def test_a_redirect_does_not_carry_the_token_away(listener: Listener, token: Path) -> None:
    client = Client(listener.url, token_file=str(token))
    with pytest.raises(ClientError, match="not as CIMaster does"):
        client.read("/moved")
    client.close()
    assert listener.seen == [f"Bearer {SECRET}"]


@pytest.mark.parametrize(
    "content", ["", "\n", f"{SECRET} alice", f"{SECRET}\n{SECRET}", f"sha256:{SECRET} alice", "é", SECRET * 2000]
)
def test_a_file_without_one_token_is_refused(token: Path, content: str) -> None:
    token.write_text(content)
    with pytest.raises(TokenUnusable) as refused:
        Client("http://127.0.0.1:9", token_file=str(token))
    assert SECRET not in str(refused.value)
    assert refused.value.exit_status == USAGE


@pytest.mark.parametrize("server", ["http://cimaster.example.com:8080", "http://10.0.0.1", "cimaster.example.com"])
def test_it_is_not_sent_in_clear_to_another_machine(server: str, token: Path) -> None:
    with pytest.raises(TokenUnusable, match="others on the network could read it"):
        Client(server, token_file=str(token))
    Client(server, token_file=str(token), insecure_token=True).close()


@pytest.mark.parametrize(
    "server", ["https://cimaster.example.com", "http://localhost:8080", "http://[::1]:8080", "http://127.1.2.3"]
)
def test_it_is_sent_encrypted_or_on_this_machine(server: str, token: Path) -> None:
    Client(server, token_file=str(token)).close()


def test_it_is_not_sent_in_clear_through_a_proxy(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(TokenUnusable):
        Client("http://127.0.0.1:8080", token_file=str(token))


@pytest.mark.slow
def test_the_commands_take_it_from_option_and_variable(listener: Listener, token: Path) -> None:
    environment = {**ENVIRONMENT, "CIMASTER_SERVER": listener.url}
    for arguments, variables in (
        (["--token-file", token.name], {}),
        ([], {"CIMASTER_CLIENT_TOKEN_FILE": str(token)}),
        ([], {"CIMASTER_CLIENT_TOKEN_FILE": "no-such-file"}),
    ):
        command = ["cimaster", "list", "--json", *arguments]
        subprocess.run(command, cwd=token.parent, env=environment | variables, timeout=60, check=False)
    assert listener.seen == [f"Bearer {SECRET}"] * 2


@pytest.mark.slow
def test_a_command_on_a_cluster_has_the_same_token(run: Run, token: Path) -> None:
    relative = os.path.relpath(token)
    script = 'cd / && cat "$CIMASTER_CLIENT_TOKEN_FILE" && cimaster list -o name'
    done = run("run", "--job", "e2e", "--build", "7", "--token-file", relative, "--", "sh", "-c", script)
    assert done.stdout == f"{SECRET}\ncluster-01\n"
    assert SECRET not in done.stderr
