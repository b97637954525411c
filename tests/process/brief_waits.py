"""The application of a replica that keeps callers briefly: a test need not wait half a minute for their next try."""

import importlib

from cimaster.services import waiting_room

waiting_room._LONGEST_REQUEST = 1.0

app = importlib.import_module("wsgi").app
