"""Whether the process serves."""

from flask.testing import FlaskClient


def test_a_process_that_serves_says_so(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405
