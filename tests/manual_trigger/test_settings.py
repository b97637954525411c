"""Settings are read from the environment, and a wrong value stops the start with a sentence."""

from dataclasses import Field, fields
from datetime import timedelta
from typing import Any

import pytest

from cimaster.common.settings import BadSetting, default_text
from cimaster.manual_trigger.__main__ import main
from cimaster.manual_trigger.settings import Rate, TriggerSettings

CONFIG = {"MANUAL_TRIGGER_CONFIG": "http://deck/config"}


def test_every_setting_comes_from_the_environment() -> None:
    environment = {
        "CONFIG": "https://deck.example.com:8443/prow/config",
        "STATUS_URL": "https://prow.example.com/",
        "NAMESPACE": "prow",
        "TOKEN_FILE": "/t",
        "ALLOW_FILE": "/a",
        "HOST": "127.0.0.2",
        "PORT": "81",
        "METRICS_PORT": "82",
        "RELOAD_EVERY": "5m",
        "WAIT": "1m",
        "RATE": "3/2h",
        "THREADS": "8",
        "REPO_LINKS": "true",
        "LOG_LEVEL": "debug",
        "CONNECTIONS_PER_ADDRESS": "7",
    }
    assert set(environment) == {setting.name.upper() for setting in fields(TriggerSettings)}
    settings = TriggerSettings.from_environ(
        {TriggerSettings.prefix + name: value for name, value in environment.items()}
    )
    assert (settings.config, settings.status_url) == (environment["CONFIG"], "https://prow.example.com")
    assert (settings.namespace, settings.token_file, settings.allow_file) == ("prow", "/t", "/a")
    assert (settings.port, settings.metrics_port, settings.threads) == (81, 82, 8)
    assert settings.connections_per_address == 7
    assert (settings.reload_every, settings.wait) == (timedelta(minutes=5), timedelta(minutes=1))
    assert settings.rate == Rate(3, timedelta(hours=2))
    assert (settings.repo_links, settings.log_level) == (True, "DEBUG")


@pytest.mark.parametrize("setting", fields(TriggerSettings), ids=lambda setting: setting.name)
def test_the_default_as_text_is_read_as_the_default(setting: Field[Any]) -> None:
    name = TriggerSettings.prefix + setting.name.upper()
    text = default_text(setting)
    settings = TriggerSettings.from_environ({**CONFIG, **({name: text} if text else {})})
    assert getattr(settings, setting.name) == (
        setting.default or getattr(TriggerSettings(config=CONFIG["MANUAL_TRIGGER_CONFIG"]), setting.name)
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CONFIG", "ftp://deck/config", "the address of Deck's /config"),
        ("CONFIG", "http://user:secret@deck/config", "the address of Deck's /config"),
        ("CONFIG", "http://deck/config?x=1", "the address of Deck's /config"),
        ("STATUS_URL", "prow.example.com", "an address such as https://prow.example.com"),
        ("STATUS_URL", "javascript:alert(1)", "an address"),
        ("NAMESPACE", "../x", "a Kubernetes name"),
        ("PORT", "0", "a port number"),
        ("RELOAD_EVERY", "60", "a duration"),
        ("RELOAD_EVERY", "9999999d", "at most 7d"),
        ("RATE", "10/9999999d", "a number of jobs per period"),
        ("WAIT", "2m", "at most 1m"),
        ("RATE", "10", "a number of jobs per period, such as 10/1m"),
        ("RATE", "0/1m", "a number of jobs per period"),
        ("RATE", "10/60", "a number of jobs per period"),
        ("THREADS", "1", "between 4 and 512"),
        ("REPO_LINKS", "yes", "on or off"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_a_wrong_value_is_reported_in_a_sentence(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadSetting) as error:
        TriggerSettings.from_environ({**CONFIG, TriggerSettings.prefix + name: value})
    assert f"MANUAL_TRIGGER_{name} is {value!r}: expected " in str(error.value)
    assert expected in str(error.value)


def test_one_port_for_both_listeners_is_reported_in_a_sentence() -> None:
    with pytest.raises(BadSetting, match="MANUAL_TRIGGER_METRICS_PORT is 8081, the same as MANUAL_TRIGGER_PORT"):
        TriggerSettings.from_environ({**CONFIG, "MANUAL_TRIGGER_METRICS_PORT": "8081"})


def test_without_a_configuration_the_start_stops_with_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MANUAL_TRIGGER_CONFIG", raising=False)
    assert main([]) == 2
    assert "MANUAL_TRIGGER_CONFIG is not set: give the address of Deck's /config" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "status_url", "pages"),
    [
        ("https://deck.example.com:8443/prow/config", "", "https://deck.example.com:8443"),
        ("https://deck.example.com/config", "https://prow.example.com/x", "https://prow.example.com/x"),
        ("/etc/config.yaml", "", ""),
        ("/etc/config.yaml", "https://prow.example.com", "https://prow.example.com"),
    ],
)
def test_links_lead_to_the_origin_of_the_configuration_by_default(config: str, status_url: str, pages: str) -> None:
    assert TriggerSettings(config=config, status_url=status_url).pages == pages
