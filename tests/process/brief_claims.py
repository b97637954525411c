"""The application of a replica whose claims and pauses are brief, so that tests need not wait for a minute."""

import importlib
from datetime import timedelta

from cimaster.pool.decisions import archiving, notice_delivery
from cimaster.services import check_claims, creation_claims, notice_claims
from cimaster.workers import checks

creation_claims._RESERVE = timedelta(seconds=3)
check_claims.DURATION = timedelta(seconds=4)
notice_claims.DURATION = timedelta(seconds=4)
notice_delivery._FIRST_PAUSE, notice_delivery._LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=2)
archiving.CLAIM = timedelta(seconds=4)
checks._RENEW, checks._RESERVE = 0.5, 1.0

app = importlib.import_module("wsgi").app
