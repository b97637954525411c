"""The liveness check."""

from flask.testing import FlaskClient


def test_a_running_process_answers_ok(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405
