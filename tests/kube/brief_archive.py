"""The application of a replica whose claim on the archive ends soon, and that fills small objects of the archive."""

import importlib
from datetime import timedelta

from cimaster.pool.decisions import archiving
from cimaster.repository import history_ring

archiving.CLAIM = timedelta(seconds=3)
history_ring.SIZE_LIMIT = 60_000

app = importlib.import_module("wsgi").app
