"""An application that requires credentials: one caller for each role, with a token in a real file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cimaster.common.parsers import networks
from cimaster.common.token_file import hashed_line
from cimaster.settings import Settings
from cimaster.web.identity.roles import Role

SESSION_KEY = "0123456789abcdef" * 4
PROXY_SECRET = "fedcba9876543210" * 4
OUTSIDER = "outsider"


@dataclass(frozen=True)
class RequiredFiles:
    """The files that an operator mounts; tests may rewrite them."""

    folder: Path

    @property
    def tokens(self) -> Path:
        """The token file."""
        return self.folder / "tokens"

    @property
    def roles(self) -> Path:
        """The file of roles."""
        return self.folder / "roles"

    @property
    def session_keys(self) -> Path:
        """The file of session keys."""
        return self.folder / "session-keys"

    @property
    def proxy_secret(self) -> Path:
        """The file with the proxy's secret."""
        return self.folder / "proxy-secret"


def name_of(role: Role) -> str:
    """Return the name of the caller that has this role and no other."""
    return f"{role}-1"


def token_of(name: str) -> str:
    """Return the token of a caller."""
    return f"token-of-{name}"


def bearer(name: str) -> dict[str, str]:
    """Return the header with which a caller sends its token."""
    return {"Authorization": f"Bearer {token_of(name)}"}


def callers() -> list[str]:
    """Return the names of all callers: one for each role, a second one for ci and person, and one without a role."""
    return [*map(name_of, Role), "ci-2", "person-2", OUTSIDER]


def write_files(folder: Path) -> RequiredFiles:
    """Write the operator's files into a folder."""
    files = RequiredFiles(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files.tokens.write_text("".join(f"{hashed_line(token_of(name), name)}\n" for name in callers()))
    lines = [f"{role} {name_of(role)}" for role in Role]
    lines += ["ci ci-2", "person person-2", "reader for-others-1", "person for-others-1", "person group:developers"]
    files.roles.write_text("\n".join(lines) + "\n")
    files.session_keys.write_text(SESSION_KEY + "\n")
    files.proxy_secret.write_text(PROXY_SECRET + "\n")
    return files


def by_proxy(name: str) -> dict[str, str]:
    """Return the headers with which the proxy says who the caller is."""
    return {"X-Forwarded-User": name, "X-CIMaster-Proxy-Secret": PROXY_SECRET}


def behind_proxy(settings: Settings, files: RequiredFiles) -> Settings:
    """Return settings with which the clients of tests are a proxy that signs people in."""
    trusted = networks("127.0.0.1")
    return replace(settings, proxy_secret_file=str(files.proxy_secret), trusted_proxies=trusted)


def signed_in(app: Flask, name: str) -> FlaskClient:
    """Return a browser in which a caller has signed in with its token."""
    browser = app.test_client()
    answer = browser.post("/ui/signin", data={"token": token_of(name)})
    assert answer.status_code == 303, answer.text
    return browser


def required(settings: Settings, files: RequiredFiles) -> Settings:
    """Return the settings with `auth = required` and these files; the admins' file counts too."""
    return replace(
        settings,
        auth="required",
        token_file=str(files.tokens),
        roles_file=str(files.roles),
        session_key_file=str(files.session_keys),
    )


def environment(folder: Path) -> dict[str, Any]:
    """Write the operator's files into a folder, and return the variables of a process that uses them."""
    files = write_files(folder)
    return {
        "CIMASTER_AUTH": "required",
        "CIMASTER_TOKEN_FILE": str(files.tokens),
        "CIMASTER_ROLES_FILE": str(files.roles),
        "CIMASTER_SESSION_KEY_FILE": str(files.session_keys),
    }
