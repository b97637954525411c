"""Turns the parameters of `/usage` into a question: the API and the page ask the same ones."""

from datetime import datetime, timedelta

from cimaster.pool.usage.report import GroupFilter
from cimaster.services.usage import Question
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ShowUsage


def question(params: ShowUsage) -> Question:
    """Return the question of a request; an age means that long ago."""
    wanted = GroupFilter(params.purpose, params.region)
    return Question(params.by, _time(params.since), _time(params.until), wanted)


def _time(moment: datetime | timedelta | None) -> datetime | None:
    return components().clusters.now() - moment if isinstance(moment, timedelta) else moment
