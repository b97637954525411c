"""The application with `auth = required`, and clients that send the token of a caller."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.web.identity.roles import Role
from tests.required import RequiredFiles, name_of, required, token_of

As = Callable[[str], FlaskClient]


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles) -> Settings:
    """Settings with `auth = required`; the admins' file names root and Bob, who have no token."""
    return required(settings, files)


@pytest.fixture
def store(embedded_store: SQLiteStore) -> SQLiteStore:
    """What a caller may do does not depend on the store."""
    return embedded_store


@pytest.fixture
def calling(app: Flask) -> As:
    """Return a client that sends the token of a caller: `calling("ci-1").post("/getvacant", ...)`."""

    def client_of(name: str) -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(name)}"
        return client

    return client_of


@pytest.fixture
def admin(calling: As) -> FlaskClient:
    """A client of the admin."""
    return calling(name_of(Role.ADMIN))


@pytest.fixture
def signed_in(app: Flask) -> As:
    """Return a client with the session of a caller that signed in with its token: `signed_in("person-1").post(...)`."""

    def client_of(name: str) -> FlaskClient:
        authentication = components_of(app).authentication
        assert authentication
        assert authentication.sessions
        cookie = authentication.sessions.sign(authentication.of_token(token_of(name), "127.0.0.1"))
        client = app.test_client()
        client.set_cookie("cimaster_session", cookie)
        return client

    return client_of
