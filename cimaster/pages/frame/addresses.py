"""Addresses: links to clusters, the page that a form returns to, static files that browsers may cache."""

import functools
import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flask import current_app, request, url_for
from werkzeug.urls import iri_to_uri

from cimaster.web import public_url

_ROOT = Path(__file__).parents[2]
_VENDOR = "/static/vendor/"


def cluster_url(name: str) -> str:
    """Return the address of a cluster's page. A name that does not survive in a path goes into the query."""
    if set(name.split("/")) & {"", ".", ".."}:
        return url_for("pages.cluster", name=name)
    return url_for("pages.cluster_by_path", name=name)


def dashboard_url(query: str) -> str:
    """Return the address of the dashboard with a filter and an order."""
    return url_for("pages.dashboard") + (f"?{query}" if query else "")


def current_page() -> str:
    """Return the address of the page that the visitor sees, also for a request by htmx."""
    if request.headers.get("HX-Request") == "true":
        return own_page(request.headers.get("HX-Current-URL", ""))
    return own_page(request.full_path.rstrip("?"))


def return_address() -> str:
    """Return the page to return to from a form: the one that it names, else the one that it was opened on."""
    named = request.values.get("back")
    if named:
        return own_page(named)
    return own_page(request.headers.get("HX-Current-URL") or request.referrer or "")


def own_page(url: str) -> str:
    """Return the address of one of our pages without its host; the dashboard for any other address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url_for("pages.dashboard")
    ours = not parts.netloc or public_url.is_ours(url)
    path = without_prefix(parts.path)
    has_dots = any(unquote(part) in (".", "..") for part in path.split("/"))  # which the browser would resolve
    if not ours or not (path == "/" or path.startswith("/ui/")) or has_dots or "\\" in url:
        return url_for("pages.dashboard")
    return iri_to_uri(request.script_root + path + (f"?{parts.query}" if parts.query else ""))


def without_prefix(address: str) -> str:
    """Return an address of ours without the path prefix of the public URL."""
    return address.removeprefix(request.script_root) or "/"


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((Path(current_app.static_folder or "") / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content of the file."""
    vendored = name.startswith("vendor/")
    return url_for("static", filename=name) if vendored else url_for("static", filename=name, v=_digest(name))


def is_lasting() -> bool:
    """Whether the file at the requested address never changes."""
    if request.path.startswith(_VENDOR):
        return True
    name = (request.view_args or {}).get("filename", "")
    return request.args.get("v") == _digest(name)


@functools.cache
def version() -> str:
    """Return a digest of the code of the pages, so that open pages are rendered again after an update."""
    files = [*(_ROOT / "pages").rglob("*.py"), *(_ROOT / "templates").rglob("*.html"), *(_ROOT / "static").glob("*.*")]
    parts = (hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
