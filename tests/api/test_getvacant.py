"""Taking a cluster."""

from flask.testing import FlaskClient


def test_a_job_gets_the_bare_name_of_a_vacant_cluster(client: FlaskClient, add) -> None:
    add("cluster-01")
    answer = client.get("/getvacant?build=123&job=e2e-test&email=ci-bot@example.com")
    assert (answer.status_code, answer.text) == (200, "cluster-01")
    assert len(answer.headers["CIMaster-Lease"]) == 32
