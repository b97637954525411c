"""Tell browsers from programs, and keep other sites' pages, links and link previews from changing anything."""

import ipaddress
import re
from urllib.parse import urlsplit

from flask import request
from werkzeug.http import parse_list_header, parse_options_header

from cimaster.common.parameters import echo
from cimaster.errors import CrossOrigin, UnknownHost
from cimaster.settings import Settings
from cimaster.web import public_url

_JAVA = "text/html, image/gif, image/jpeg, "  # how the Accept header of Java's URLConnection always begins
_HTML = ("text/html", "application/xhtml+xml")
_ZERO = re.compile(r"0+(\.0*)?")  # q=0 means that the type is not acceptable; an unreadable quality is ignored
_IN_CLUSTER = (".svc", ".svc.cluster.local")
_MARKS = {
    "HTTP_ORIGIN": "Origin",
    "HTTP_PURPOSE": "Purpose",
    "HTTP_SEC_PURPOSE": "Sec-Purpose",
    "HTTP_X_PURPOSE": "X-Purpose",
    "HTTP_X_MOZ": "X-Moz",
}
_PREVIEWERS = re.compile(
    "slackbot|slack-imgproxy|twitterbot|facebookexternalhit|facebot|discordbot|telegrambot|whatsapp|skypeuripreview"
    "|microsoftpreview|microsoft teams|linkedinbot|googlebot|google-inspectiontool|googleimageproxy|bingbot|bingpreview"
    "|applebot|duckduckbot|yandexbot|baiduspider|redditbot|pinterestbot|mattermost-bot|rocket\\.chat|zulip"
    "|synapse|embedly|iframely|vkshare|camo",
    re.IGNORECASE,
)


def from_browser() -> bool:
    """Say whether a browser sent the request."""
    environ = request.environ  # a plain dictionary is faster than request.headers, and every request comes here
    agent = environ.get("HTTP_USER_AGENT", "")
    return "HTTP_SEC_FETCH_SITE" in environ or (agent.startswith("Mozilla/") and "PowerShell" not in agent)


def wants_html() -> bool:
    """Say whether the caller named HTML, as browsers do."""
    accept = request.headers.get("Accept", "")
    if accept.startswith(_JAVA) or "html" not in accept.lower():
        return False
    named = map(parse_options_header, parse_list_header(accept))
    return any(kind.lower() in _HTML and not _ZERO.fullmatch(options.get("q", "1")) for kind, options in named)


def why_read_only() -> str:
    """Return why a GET must not change anything: it may come from a link or a preview; empty if a program sent it."""
    environ = request.environ
    if from_browser():
        return "from a browser"
    if _PREVIEWERS.search(environ.get("HTTP_USER_AGENT", "")):
        return "from a link preview"
    for key, name in _MARKS.items():
        if key in environ:
            return f"with the header {name}"
    if wants_html():
        return "that asks for HTML"
    foreign = "HTTP_REFERER" in environ and not public_url.is_ours(environ["HTTP_REFERER"])
    return "with another site's Referer" if foreign else ""


def check_origin(settings: Settings) -> None:
    """Refuse a change that a browser sends on behalf of another site's page; programs send neither header."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is None:
        return
    if origin and origin in (*settings.trusted_origins, public_url.origin()):
        return
    if site in ("same-origin", "none") if site is not None else public_url.is_ours(origin or ""):
        return
    raise CrossOrigin(
        f"a page of another site ({echo(origin or 'of unknown origin')}) may not send changes here; if the page is "
        "this service's own, an operator sets CIMASTER_PUBLIC_URL to the address that people use, and if the site is "
        "trusted, adds it to CIMASTER_TRUSTED_ORIGINS"
    )


def check_host(settings: Settings) -> None:
    """Refuse a browser's request for an unknown host name, as a defence against DNS rebinding."""
    if not _may_be_browser():
        return
    host = _host()
    if host is None or not _is_known(host, settings):
        raise UnknownHost(
            f"{echo(host or request.headers.get('Host', ''))} is not a known name of this service; if it is one, an "
            f"operator adds {host or 'it'} to CIMASTER_HOSTS, or sets CIMASTER_PUBLIC_URL to its address",
            host=host or "",
        )


def _may_be_browser() -> bool:
    """Say whether a browser may have sent the request, even if a page's script set User-Agent, as Firefox allows.

    Browsers always send Accept-Language. Among programs, hardly any but Node.js does, and Node.js also sends
    Sec-Fetch-Mode without Sec-Fetch-Site: no script can make a browser do that.
    """
    environ = request.environ
    names_languages = "HTTP_ACCEPT_LANGUAGE" in environ and "HTTP_SEC_FETCH_MODE" not in environ
    return from_browser() or "HTTP_ORIGIN" in environ or names_languages


def _host() -> str | None:
    """Return the host name of the request; None if it cannot be read."""
    try:
        return (urlsplit(f"//{request.headers.get('Host', '')}").hostname or "").rstrip(".")
    except ValueError:
        return None


def _is_known(host: str, settings: Settings) -> bool:
    """Say whether a name is ours, or one that no website can have: an IP address, a single label, a cluster name."""
    if "." not in host or host.endswith(_IN_CLUSTER):
        return True
    if host in (*settings.hosts, urlsplit(settings.public_url).hostname):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
