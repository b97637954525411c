"""Filters that format times and durations in templates."""

import re
from datetime import datetime, timedelta

from markupsafe import Markup, escape

from cimaster.common.times import format_duration, format_time, parse_time, roughly
from cimaster.pages.frame.blueprint import pages
from cimaster.pool.records import owners

SOON, LATE, NOW = timedelta(minutes=30), timedelta(minutes=10), timedelta(minutes=1)
_ACCOUNT_MARK = "system:serviceaccount:"
_ACCOUNT = re.compile(_ACCOUNT_MARK + r"[a-z0-9-]+:[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@pages.app_template_filter()
def iso(moment: datetime) -> str:
    """Format a time for the attribute `datetime`."""
    return format_time(moment)


@pages.app_template_filter()
def utc(moment: datetime) -> str:
    """Format a time exactly."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@pages.app_template_filter()
def clock_time(moment: datetime, now: datetime) -> str:
    """Format the time of day, with the date if it is not today."""
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%a %d %b, %H:%M} UTC"


@pages.app_template_filter()
def ago(moment: datetime, now: datetime) -> str:
    """Format how long ago a time was, in its largest unit."""
    return "just now" if now - moment < NOW else f"{' '.join(roughly(now - moment).split()[:2])} ago"


@pages.app_template_filter()
def remaining(moment: datetime, now: datetime) -> str:
    """Format how long it is until a time."""
    return roughly(moment - now) if moment > now else "a moment"


@pages.app_template_filter()
def urgency(moment: datetime, now: datetime) -> str:
    """Return how near an end is: `late` below 10 minutes, `soon` below 30, else `far`."""
    return "late" if moment - now < LATE else "soon" if moment - now < SOON else "far"


@pages.app_template_filter()
def duration(duration: timedelta) -> str:
    """Format a duration for people."""
    return roughly(duration)


@pages.app_template_filter()
def duration_parameter(duration: timedelta) -> str:
    """Format a duration as a parameter."""
    return format_duration(duration)


@pages.app_template_filter()
def short_names(text: str) -> str:
    """Replace the names of service accounts in a text by short ones: `e2e.ci` for `system:serviceaccount:ci:e2e`."""
    return _ACCOUNT.sub(lambda name: owners.label(name[0]), text) if _ACCOUNT_MARK in text else text


@pages.app_template_filter()
def readable_times(sentence: str) -> Markup:
    """Replace the RFC 3339 times in a sentence by readable ones, and names of service accounts by short ones."""
    return Markup(_STAMP.sub(_readable, str(escape(short_names(sentence)))))  # noqa: S704 escaped first


def _readable(stamp: re.Match[str]) -> str:
    moment = parse_time(stamp[0])
    return f'<time datetime="{stamp[0]}">{moment:%Y-%m-%d %H:%M} UTC</time>' if moment else stamp[0]
