"""A mistake in a file of the operator shows in the metrics and at /readyz, without the content of the file."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import generate_latest

from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.required import RequiredFiles, behind_proxy, required

SECRET = "s3cret-of-an-operator"
ALL = {"tokens", "roles", "session_keys", "proxy_secret", "admins", "checks", "notices"}
CHECK = "[ping]\nkind = http\nurl = http://{cluster}.test/\n"
CHANNEL = "[chat]\nkind = slack\nurl_file = "


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles, tmp_path: Path) -> Settings:
    """Settings that name every file."""
    url, checks, notices = tmp_path / "url", tmp_path / "checks.ini", tmp_path / "notices.ini"
    url.write_text(f"https://chat.example.com/{SECRET}")
    checks.write_text(CHECK)
    notices.write_text(f"{CHANNEL}{url}\n")
    settings = replace(settings, checks_file=str(checks), notices_file=str(notices))
    return behind_proxy(required(settings, files), files)


@pytest.fixture
def paths(settings: Settings, files: RequiredFiles) -> dict[str, Path]:
    """The files by their labels."""
    return {
        "checks": Path(settings.checks_file),
        "notices": Path(settings.notices_file),
        "tokens": files.tokens,
        "roles": files.roles,
        "session_keys": files.session_keys,
        "proxy_secret": files.proxy_secret,
        "admins": Path(settings.admin_dir) / "users",
    }


def usable(app: Flask) -> dict[str, bool]:
    """Return the files that a scrape finds, and whether each can be used."""
    text = generate_latest(components_of(app).metrics.registry).decode()
    assert SECRET not in text
    lines = [line.split('"') for line in text.splitlines() if line.startswith("cimaster_file_usable{")]
    return {label: value == "} 1.0" for _, label, value in lines}


def readiness(app: Flask) -> str:
    """Return what /readyz says of the files; it does not fail because of them."""
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    return str(answer.get_json()["files"])


def garbage(path: Path) -> None:
    path.write_bytes(f"{SECRET}\n".encode() + b"\xff\xff")


def rule(path: Path) -> None:
    path.write_text(f"{SECRET} without a meaning in any file\n")


def line_of_a_section(path: Path) -> None:
    path.write_text(f"[chat]\nkind = slack\n{SECRET} without a meaning in any file\n")


def secret_as_a_path(path: Path) -> None:
    path.write_text(f"{CHANNEL}https://chat.example.com/{SECRET}\n")


@pytest.mark.parametrize("spoil", [garbage, rule, line_of_a_section, secret_as_a_path, Path.unlink])
@pytest.mark.parametrize("name", sorted(ALL - {"admins"}))
def test_the_file_that_cannot_be_used_is_named(
    app: Flask,
    paths: dict[str, Path],
    name: str,
    spoil: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert (usable(app), readiness(app)) == (dict.fromkeys(ALL, True), "ok")
    before = paths[name].read_bytes()
    spoil(paths[name])
    assert (usable(app), readiness(app)) == (
        dict.fromkeys(ALL, True) | {name: False},
        f"cannot be used: {name}; the log says why",
    )
    paths[name].write_bytes(before)
    assert (usable(app), readiness(app)) == (dict.fromkeys(ALL, True), "ok")
    assert SECRET not in caplog.text


def test_the_list_of_admins_may_be_left_out(app: Flask, paths: dict[str, Path]) -> None:
    garbage(paths["admins"])
    assert not usable(app)["admins"]
    paths["admins"].unlink()
    assert (set(usable(app)), readiness(app)) == (ALL - {"admins"}, "ok")
