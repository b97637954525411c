"""Checks proxies of the environment at the start, so that not every request fails because of them."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

from cimaster.common.settings import BadSetting, inherited

_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_NAMES = ("https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def check_route(url: str) -> None:
    """Raise BadSetting if `requests` would reach an address through a proxy that cannot be used."""
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return
    try:
        completed = str(prepend_scheme_if_needed(proxy, "http"))
    except ValueError:
        completed = proxy
    check_proxy(completed, variable(proxy), url)


def check_proxy(proxy: str, name: str, url: str) -> None:
    """Raise BadSetting, which names the variable `name`, if a proxy cannot be used to reach an address.

    The sentence leaves out the proxy's own address, which may contain a password.
    """
    scheme, found, _ = proxy.lower().partition("://")
    others = f"set an http:// proxy, or list {urlsplit(url).hostname} in NO_PROXY"
    if scheme in _SOCKS and find_spec("socks") is None:
        raise BadSetting(f"{name} is a SOCKS proxy, which needs the Python package PySocks: install it, {others}")
    if not found or scheme not in ("http", "https", *_SOCKS):
        raise BadSetting(f"{name} is not the address of a proxy, such as http://proxy.example.com:3128: {others}")


def variable(proxy: str) -> str:
    """Return the environment variable whose value is that proxy; empty if none is."""
    return next((name for name, value in inherited(*_NAMES).items() if value == proxy), "")
