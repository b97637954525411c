"""The OpenAPI description is served at its usual path."""

import yaml
from flask.testing import FlaskClient


def test_the_description_is_served_as_yaml(client: FlaskClient) -> None:
    answer = client.get("/openapi.yaml")
    assert (answer.status_code, answer.mimetype) == (200, "application/yaml")
    assert yaml.safe_load(answer.text)["openapi"] == "3.1.0"
