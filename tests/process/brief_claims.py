"""The application of a replica whose claims last only briefly, so that tests need not wait for a minute."""

import importlib
from datetime import timedelta

from cimaster.services import creation_claims

creation_claims._RESERVE = timedelta(seconds=3)

app = importlib.import_module("wsgi").app
