"""The application of a replica that waits for others only briefly: a test need not wait a minute with it."""

from datetime import timedelta

from cimaster.services import creation_claims

creation_claims._RESERVE = timedelta(seconds=3)

from wsgi import app  # noqa: E402, F401
