"""Which settings of identity work together, and that the choice between open and required must be made in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from cimaster.common import parsers
from cimaster.common.settings import BadSetting
from cimaster.settings import Settings
from cimaster.web.identity import authentication
from tests.required import required, write_files


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_the_service_is_open_unless_it_is_told_otherwise(host: str) -> None:
    settings = Settings(host=host)
    authentication.check(settings)
    assert authentication.configured(settings, lambda owner, began: False) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "cimaster.example.com", ""])
def test_beyond_loopback_the_mode_must_be_chosen(host: str) -> None:
    with pytest.raises(BadSetting, match="CIMASTER_AUTH is not set: choose `open`"):
        authentication.check(Settings(host=host))
    authentication.check(Settings(host=host, auth="open"))


def test_required_without_any_kind_of_credential_stops_the_start() -> None:
    with pytest.raises(BadSetting, match="no caller can have a credential: set CIMASTER_TOKEN_FILE or"):
        authentication.check(Settings(auth="required", session_key_file="/etc/cimaster/auth/session-keys"))


def test_a_proxys_secret_needs_the_proxys_network(tmp_path: Path) -> None:
    settings = Settings(auth="required", proxy_secret_file=str(write_files(tmp_path).proxy_secret))
    with pytest.raises(BadSetting, match="CIMASTER_TRUSTED_PROXIES is not"):
        authentication.check(settings)
    authentication.check(replace(settings, trusted_proxies=parsers.networks("10.0.0.0/8")))


def test_the_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    found = authentication.configured(required(Settings(), files), lambda owner, began: False)
    assert found is not None
    assert not any(found.troubles().values())
    files.session_keys.write_text("short")
    files.tokens.unlink()
    troubles = found.troubles()
    tokens, keys = troubles["tokens"], troubles["session_keys"]
    assert tokens == f"{files.tokens} does not exist: create it"
    assert keys.startswith(f"{files.session_keys} cannot be used")
    assert "short" not in keys


def test_service_accounts_without_an_api_server_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    settings = Settings(service_accounts=True)
    authentication.check(settings)
    with pytest.raises(BadSetting, match="CIMASTER_SERVICE_ACCOUNTS is on, but no access to a Kubernetes cluster is"):
        authentication.check(replace(settings, auth="required"))
