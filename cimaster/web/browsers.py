"""What browsers may do: programs are told from them, and another site's page, a link or a preview changes nothing."""

import ipaddress
import re
from urllib.parse import urlsplit

from flask import request
from werkzeug.http import parse_list_header, parse_options_header

from cimaster.common.parameters import echo
from cimaster.errors import CrossOrigin, UnknownHost
from cimaster.settings import Settings
from cimaster.web import public_url

_JAVA = "text/html, image/gif, image/jpeg, "  # how Accept begins that Java's URLConnection sends for every program
_HTML = ("text/html", "application/xhtml+xml")
_ZERO = re.compile(r"0+(\.0*)?")  # a quality that says no; one that cannot be read says nothing
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
    """Say whether a person's browser sent the request."""
    environ = request.environ  # a plain dictionary: every request is looked at here
    agent = environ.get("HTTP_USER_AGENT", "")
    return "HTTP_SEC_FETCH_SITE" in environ or (agent.startswith("Mozilla/") and "PowerShell" not in agent)


def wants_html() -> bool:
    """Say whether the caller named HTML, as browsers do."""
    accept = request.headers.get("Accept", "")
    if accept.startswith(_JAVA) or "html" not in accept.lower():
        return False
    named = map(parse_options_header, parse_list_header(accept))
    return any(kind.lower() in _HTML and not _ZERO.fullmatch(options.get("q", "1")) for kind, options in named)


def why_it_may_change_nothing() -> str:
    """Say what shows that a GET may come of a link, a preview or a prefetch; empty for a program's."""
    environ = request.environ
    if from_browser():
        return "of a browser"
    if _PREVIEWERS.search(environ.get("HTTP_USER_AGENT", "")):
        return "of a link preview"
    for key, name in _MARKS.items():
        if key in environ:
            return f"with the header {name}"
    if wants_html():
        return "that asks for HTML"
    foreign = "HTTP_REFERER" in environ and not public_url.is_ours(environ["HTTP_REFERER"])
    return "with another site's Referer" if foreign else ""


def check_origin(settings: Settings) -> None:
    """Refuse a change that a browser sends for another site's page; programs send neither header."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is None:
        return
    if origin and origin in (*settings.trusted_origins, public_url.origin()):
        return
    if site in ("same-origin", "none") if site is not None else public_url.is_ours(origin or ""):
        return
    remedy = "set CIMASTER_PUBLIC_URL to where people reach this service, or allow that site with"
    raise CrossOrigin(
        f"a page of another site ({echo(origin or 'it does not say which')}) may not send changes here: if it is this "
        f"service's own, or trusted, an operator can {remedy} CIMASTER_TRUSTED_ORIGINS"
    )


def check_host(settings: Settings) -> None:
    """Refuse a browser's request under a name that may be anybody's: its page would count as ours (DNS rebinding)."""
    if not _has_marks_of_a_browser():
        return
    host = _host()
    if host is None or not _is_known(host, settings):
        raise UnknownHost(
            f"this service does not know that it is called {echo(host or request.headers.get('Host', ''))}: if that is "
            f"its name, an operator sets CIMASTER_HOSTS to {host or 'it'}, or CIMASTER_PUBLIC_URL to its address",
            host=host or "",
        )


def _has_marks_of_a_browser() -> bool:
    """Say whether a browser may have sent this, also where a page's script chose the agent, as Firefox lets it.

    Browsers always name languages. Of programs hardly any does but Node.js, which is told by a Sec-Fetch-Mode alone: no
    script can have a browser send that.
    """
    environ = request.environ
    names_languages = "HTTP_ACCEPT_LANGUAGE" in environ and "HTTP_SEC_FETCH_MODE" not in environ
    return from_browser() or "HTTP_ORIGIN" in environ or names_languages


def _host() -> str | None:
    """Return the name of the host that was asked; None if it cannot be read."""
    try:
        return (urlsplit(f"//{request.headers.get('Host', '')}").hostname or "").rstrip(".")
    except ValueError:
        return None


def _is_known(host: str, settings: Settings) -> bool:
    """Say whether a name is ours, or one that no site can have: an address, a name of one label or of the cluster."""
    if "." not in host or host.endswith(_IN_CLUSTER):
        return True
    if host in (*settings.hosts, urlsplit(settings.public_url).hostname):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
