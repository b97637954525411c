"""The application of a replica that waits for others only briefly: a test need not wait a minute with it."""

import importlib
from datetime import timedelta

from cimaster.services import creation_claims

creation_claims._RESERVE = timedelta(seconds=3)

app = importlib.import_module("wsgi").app
