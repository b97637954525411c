"""The application of a replica that keeps callers briefly: a test need not wait half a minute for their next try."""

from cimaster import waiting

waiting._KEPT = 1.0

from wsgi import app  # noqa: E402, F401
