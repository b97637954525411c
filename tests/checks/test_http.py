"""Checks by HTTP against a real server that answers, hangs, drips, redirects or closes."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cimaster.checks.http import HttpCheck, read_url
from cimaster.common.background_thread import Interrupted
from cimaster.pool.records.cluster import Cluster
from tests.checks.raw_server import Answer, answering, saying, status
from tests.conditions import until
from tests.server import free_ports

CLUSTER = Cluster.new(
    {"name": "c-1", "status": "finished", "region": "us-west", "purpose": "perf tests", "osimage": "../x"}
)
KEY = "check-1"


def check(url: str, stop: Event | None = None, cluster: Cluster = CLUSTER, **keys: Any) -> str:
    """Run a check of this address, within a second unless the test says otherwise."""
    return HttpCheck("ping", url, **{"timeout": timedelta(seconds=1), **keys}).run(cluster, KEY, stop or Event())


def checked(answer: Answer, **keys: Any) -> str:
    """Run a check against a server that gives this answer."""
    with answering(answer) as port:
        return check(f"http://127.0.0.1:{port}/healthz", **keys)


def requests_left() -> list[threading.Thread]:
    """Return the threads of requests that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name == "http check"]


@pytest.fixture(autouse=True)
def no_request_is_left() -> Iterator[None]:
    """Every request has ended soon after its check."""
    yield
    until(lambda: not requests_left(), 10)


def test_the_expected_status_passes_and_every_other_one_fails() -> None:
    assert checked(status("200 OK")) == ""
    assert checked(status("204 No Content"), status=204) == ""
    assert checked(status("503 Service Unavailable")) == "127.0.0.1 answered 503 instead of 200"


def test_the_request_names_the_cluster_and_quotes_what_others_wrote() -> None:
    heads: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        heads.append(head)
        status("200 OK")(connection, head)

    with answering(answer) as port:
        url = f"http://127.0.0.1:{port}/{{cluster}}/{{region}}/{{osimage}}?for={{purpose}}"
        assert check(url) == ""
        assert check(f"http://127.0.0.1:{port}", cluster=CLUSTER.edited(osimage="..")) == ""
        assert check(f"http://127.0.0.1:{port}/{{osimage}}/a", cluster=CLUSTER.edited(osimage="..")) == ""
    targets = [head.split()[1] for head in heads]
    assert targets == ["/c-1/us-west/..%2Fx?for=perf%20tests", "/", "/-/a"]
    assert f"\r\nHost: 127.0.0.1:{port}\r\n" in heads[0]
    assert "Authorization" not in heads[0]


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_ports(1)[0]}")
    heads: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        heads.append(head)
        status("200 OK")(connection, head)

    assert checked(answer) == ""
    assert "Authorization" not in heads[0]


def test_a_redirect_is_not_followed() -> None:
    elsewhere: list[str] = []
    with answering(lambda _connection, head: elsewhere.append(head)) as other:
        answer = saying(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n")
        assert checked(answer) == "127.0.0.1 answered 302 instead of 200"
    assert elsewhere == []


def test_a_body_without_end_is_not_read() -> None:
    sent: list[int] = []

    def answer(connection: socket.socket, _head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        sent.extend(connection.send(bytes(10_000)) for _ in range(100_000))

    assert checked(answer, timeout=timedelta(seconds=30)) == ""
    assert sum(sent) < 100_000_000


def test_a_server_that_never_answers_is_cut_off_at_the_time_out() -> None:
    def wait_for_the_end(connection: socket.socket, _head: str) -> None:
        connection.recv(1)

    assert checked(wait_for_the_end) == "127.0.0.1 gave no answer within 1 s"


def test_a_server_that_drips_its_headers_is_cut_off_too() -> None:
    def drip(connection: socket.socket, _head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X")
            time.sleep(0.05)

    began = time.monotonic()
    assert checked(drip) == "127.0.0.1 gave no answer within 1 s"
    assert time.monotonic() - began < 10


def test_a_handshake_of_tls_that_drips_is_cut_off_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        hello = b"\x16\x03\x03\x40\x00"  # a record of the handshake whose 16 kB do not come

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in [*hello, *bytes(16_000)]:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    pass  # the check has hung up

        thread = threading.Thread(target=drip)
        thread.start()
        assert check(f"https://127.0.0.1:{server.getsockname()[1]}/") == "127.0.0.1 gave no answer within 1 s"
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (saying(""), "closed the connection without an answer"),
        (saying("SSH-2.0-OpenSSH_9.6\r\n"), "gave an answer that is not HTTP (BadStatusLine)"),
        (saying("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 1000), "gave an answer that is not HTTP (HTTPException)"),
        (saying("HTTP/1.1 200 " + "x" * 100_000), "gave an answer that is not HTTP (LineTooLong)"),
    ],
)
def test_an_answer_that_is_none_fails_with_a_reason(answer: Answer, reason: str) -> None:
    assert checked(answer) == f"127.0.0.1 {reason}"


def test_a_cluster_that_cannot_be_reached_fails_with_a_reason() -> None:
    assert check(f"http://127.0.0.1:{free_ports(1)[0]}/") == "127.0.0.1 cannot be reached: Connection refused"
    assert check("http://{cluster}.invalid/", timeout=timedelta(seconds=20)) in (
        "c-1.invalid is not a known host",
        "c-1.invalid gave no answer within 20 s",  # where no name server can be reached
    )


def test_a_stopping_service_interrupts_the_request() -> None:
    stop = Event()

    def answer(connection: socket.socket, _head: str) -> None:
        stop.set()
        connection.recv(1)

    with pytest.raises(Interrupted):
        checked(answer, stop=stop, timeout=timedelta(minutes=5))


def test_a_certificate_is_verified(tmp_path: Path, self_signed: tuple[Path, Path]) -> None:
    certificate, private_key = self_signed
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, private_key)
    with answering(status("200 OK"), tls) as port:
        url = f"https://localhost:{port}/"
        assert check(url, timeout=timedelta(seconds=30)).startswith(
            "localhost has a certificate that cannot be trusted"
        )
        assert check(url, ca_file=str(certificate), timeout=timedelta(seconds=30)) == ""
        other_name = f"https://127.0.0.1:{port}/"
        reason = check(other_name, ca_file=str(certificate), timeout=timedelta(seconds=30))
        assert "cannot be trusted: IP address mismatch" in reason


@pytest.mark.parametrize(
    "text",
    [
        "https://{cluster}.{region}.example.com/healthz",
        "http://{cluster}-api.ns.svc:8080",
        "http://gateway/{cluster}/healthz?region={region}",
        "http://127.0.0.1:8080/healthz",
        "https://[::1]:8080/",
    ],
)
def test_an_address_below_a_domain_of_the_operator_is_accepted(text: str) -> None:
    assert read_url(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://{cluster}/healthz", "a domain of yours"),
        ("https://api-{region}/healthz", "a domain of yours"),
        ("https://{cluster}.1/", "a domain of yours"),
        ("https://example.com.{region}/", "a domain of yours"),
        ("https://example.com:{region}/", "an address such as"),
        ("{region}://example.com/", "an address such as"),
        ("https://{cluster}@example.com/", "an address such as"),
        ("https://me:secret@example.com/", "an address such as"),
        ("file:///etc/passwd", "an address such as"),
        ("example.com/healthz", "an address such as"),
        ("https://example.com/a b", "an address such as"),
        ("https://example.com/#top", "an address such as"),
        ("https://{name}.example.com/", "no other braces than those of {cluster}"),
        ("https://{{cluster}}.example.com/", "no other braces"),
        ("https://{cluster.example.com/", "no other braces"),
    ],
)
def test_an_address_that_a_cluster_could_direct_elsewhere_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        read_url(text)


@pytest.mark.parametrize("region", ["", "a/b", "a b", "evil.com/", "a@b", "x:80", "-", "a" * 64, "a..b", "ü"])
def test_a_fact_that_makes_no_host_name_fails_without_a_request(region: str) -> None:
    reason = check("http://{region}.example.com/", cluster=CLUSTER.edited(region=region))
    assert "is not a host name: correct the facts about the cluster, or [ping]" in reason
