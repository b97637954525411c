"""The application of a replica that holds waiting requests open only briefly, so that tests need not wait for 25 s."""

import importlib

from cimaster.services import waiting_room

waiting_room._LONGEST_REQUEST = 1.0

app = importlib.import_module("wsgi").app
