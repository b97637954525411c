"""The application of a replica whose claims and pauses are brief, so that tests need not wait for a minute.

A test can set its clock wrong: `CLOCK_FILE` names a file with the seconds by which it is ahead.
"""

import importlib
import os
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from cimaster.common.clock import Clock
from cimaster.pool.decisions import archiving, notice_delivery
from cimaster.services import check_claims, creation_claims, notice_claims
from cimaster.workers import checks

creation_claims._RESERVE = timedelta(seconds=3)
check_claims.DURATION = timedelta(seconds=4)
notice_claims.DURATION = timedelta(seconds=4)
notice_delivery._FIRST_PAUSE, notice_delivery._LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=2)
archiving.CLAIM = timedelta(seconds=4)
checks._RENEW, checks._RESERVE = 0.5, 1.0

_right_time = Clock.__call__


def _time_of_file(clock: Clock) -> datetime:
    return _right_time(clock) + timedelta(seconds=float(Path(os.environ["CLOCK_FILE"]).read_text()))


if "CLOCK_FILE" in os.environ:
    patch.object(Clock, "__call__", _time_of_file).start()

app = importlib.import_module("wsgi").app
