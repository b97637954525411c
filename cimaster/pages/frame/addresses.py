"""Addresses in pages: where things are, whatever their names; where a form came from; files that may be kept."""

import functools
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app, request, url_for
from werkzeug.urls import iri_to_uri

from cimaster.web import public_url

_ROOT = Path(__file__).parents[2]
_VENDOR = "/static/vendor/"


def cluster_url(name: str) -> str:
    """Return the address of a cluster's page; a name that a path would not survive goes into the query."""
    if set(name.split("/")) & {"", ".", ".."}:
        return url_for("pages.cluster", name=name)
    return url_for("pages.cluster_by_path", name=name)


def current_page() -> str:
    """Return the page that the visitor sees, also where htmx asks for a piece of it."""
    if request.headers.get("HX-Request") == "true":
        return own_page(request.headers.get("HX-Current-URL", ""))
    return own_page(request.full_path.rstrip("?"))


def return_address() -> str:
    """Return the page to go back to from a form: the one that it names, else the one that it was sent from."""
    named = request.values.get("back")
    if named:
        return own_page(named)
    return own_page(request.headers.get("HX-Current-URL") or request.referrer or "")


def own_page(url: str) -> str:
    """Return the address of one of our pages as links have it, without the host; the first page for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url_for("pages.dashboard")
    ours = not parts.netloc or public_url.is_ours(url)
    path = without_prefix(parts.path)
    if not ours or not (path == "/" or path.startswith("/ui/")) or "\\" in url:
        return url_for("pages.dashboard")
    return iri_to_uri(request.script_root + path + (f"?{parts.query}" if parts.query else ""))


def without_prefix(address: str) -> str:
    """Return an address of ours without what the public URL has before it."""
    return address.removeprefix(request.script_root) or "/"


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((Path(current_app.static_folder or "") / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a file of ours, which changes with its content."""
    vendored = name.startswith("vendor/")
    return url_for("static", filename=name) if vendored else url_for("static", filename=name, v=_digest(name))


def is_lasting() -> bool:
    """Say whether what is at the requested address will never change."""
    if request.path.startswith(_VENDOR):
        return True
    name = (request.view_args or {}).get("filename", "")
    return request.args.get("v") == _digest(name)


@functools.cache
def version() -> str:
    """Return what tells this version of the pages from any other, so that open ones are drawn anew after an update."""
    files = [*(_ROOT / "pages").rglob("*.py"), *(_ROOT / "templates").rglob("*.html"), *(_ROOT / "static").glob("*.*")]
    parts = (hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
