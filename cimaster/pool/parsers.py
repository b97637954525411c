"""Parsers of parameters: each function reads a text, or raises ValueError with what was expected.

Values that are only compared or displayed may be any text; values that decisions rely on are restricted.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from cimaster.common import git_branches, parsers
from cimaster.common.texts import has_unseen, printable
from cimaster.common.times import A_DURATION, may_be_stored, parse_duration, parse_time
from cimaster.pool.records import weekly_hours
from cimaster.pool.records.cluster import STATES
from cimaster.pool.records.creation import CREATION_STATES, MAX_OPEN
from cimaster.pool.records.health import HEALTHS, RESULTS
from cimaster.pool.records.lease import LONGEST_PERSON
from cimaster.pool.records.purpose import AFTER_EXPIRY
from cimaster.pool.records.ticket import PRIORITIES
from cimaster.pool.usage.report import BREAKDOWNS

_ADDRESS = re.compile(r"<([^<>@]*@[^<>]*)>")
_GITHUB = "users.noreply."
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?")
_LOST_PLUS = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LONGEST_TEXT, _LONGEST_JOB, _LONGEST_NAME = 500, 253, 254
_A_BRANCH = "the name of a branch, such as master or release-1.32"
CLEARABLE = ("osimage", "label", "note")
MOST_SHARED = 10  # people that may extend and release another person's hold
_FOREVER = timedelta(days=36500)  # longer than any hold may be, yet short enough to add to a date


def _duration_between(least: timedelta, most: timedelta, expected: str) -> Callable[[str], timedelta]:
    def read(text: str) -> timedelta:
        lasts = parse_duration(text)
        if lasts is None or not least <= lasts <= most:
            raise ValueError(expected)
        return lasts

    return read


request_id, flag = parsers.request_id, parsers.flag
word = parsers.matching(r"[A-Za-z0-9][A-Za-z0-9._/:+-]{0,99}", "1 to 100 letters, digits and '._/:+-', such as us-west")
prow_job = parsers.matching(
    r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,199}[A-Za-z0-9_])?",
    "the name of a job: letters, digits, '.', '_' and '-', such as e2e-k8s-1.32",
)
health, result = parsers.one_of(HEALTHS), parsers.one_of(RESULTS)
_after_expiry = parsers.one_of((*AFTER_EXPIRY, "default"))
priority, state, creation_state = parsers.one_of(PRIORITIES), parsers.one_of(STATES), parsers.one_of(CREATION_STATES)
lease_time = _duration_between(timedelta(minutes=1), timedelta(days=7), "a duration from 1m to 7d, such as 90m")
wait = _duration_between(timedelta(seconds=1), timedelta(days=1), "a duration from 1s to 1d, such as 30m")
check_interval = _duration_between(timedelta(minutes=1), timedelta(days=7), "a duration from 1m to 7d, such as 10m")
long_wait = _duration_between(timedelta(seconds=1), timedelta(days=14), "a duration from 1s to 14d, such as 2d")
cooldown = _duration_between(timedelta(seconds=1), timedelta(days=1), "a duration from 1s to 1d, such as 5m")
clusters = parsers.number(0, 1000, "a number from 0 to 1000", digits=4)
concurrency = parsers.number(1, MAX_OPEN, f"a number from 1 to {MAX_OPEN}", digits=2)
usage_breakdown, usage_format = parsers.one_of(BREAKDOWNS), parsers.one_of(("text", "json", "csv"))
limit = parsers.number(1, 10_000, "a number from 1 to 10000", digits=5)
history_format = parsers.one_of(("text", "json", "csv", "jsonl"))
commit = parsers.number(0, 10**18 - 1, "a commit number, from the header CIMaster-Commit", digits=18)
_cluster = parsers.matching(
    r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
    "a name of 1 to 63 lower case letters, digits, '-' and '.', such as cluster-05",
)
_check_name = parsers.matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "the name of a check, or none")
_branch = parsers.matching(
    r"(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9_]([A-Za-z0-9._/+-]{0,200}[A-Za-z0-9_+-])?", _A_BRANCH
)


def new_cluster(text: str) -> str:
    """Read the name of a cluster to add; `any` is reserved for holds of any vacant cluster."""
    if text == "any":
        raise ValueError("another name than 'any', which means any vacant cluster")
    return _cluster(text)


def compared(text: str) -> str:
    """Read a text that is only compared with the data: any text that the data may hold."""
    return printable(text)


def person(text: str) -> str:
    """Read a person's or a bot's name."""
    name = printable(text)
    if not 1 <= len(name) <= LONGEST_PERSON or has_unseen(text.strip()) or "\ufffd" in name:
        raise ValueError("a name of 1 to 63 characters that can all be seen, such as alice or Jane Doe")
    return name


def people(text: str) -> tuple[str, ...]:
    """Read the names of people, separated by commas."""
    names = tuple(dict.fromkeys(person(part) for part in text.split(",") if part.strip()))
    if not 1 <= len(names) <= MOST_SHARED:
        raise ValueError(f"1 to {MOST_SHARED} names separated by commas, such as alice,carol")
    return names


def triggered_by(text: str) -> str:
    """Read the name of the person or bot that triggered a job; any text, because it is only displayed."""
    return printable(text)[:_LONGEST_NAME].rstrip()


def email(text: str) -> str:
    """Read an e-mail address and return the name before the @; for GitHub's noreply addresses, the login."""
    text = printable(text)
    within = _ADDRESS.search(text)
    name, _, host = (within[1].strip() if within else text).partition("@")
    login = name.rpartition("+")[2].strip() if host.lower().startswith(_GITHUB) else ""
    return triggered_by(login or name or text)


def job(text: str) -> str:
    """Read a job's name or a build's number."""
    return _short_enough(printable(text), _LONGEST_JOB)


def _short_enough(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"at most {longest} characters")
    return text


def plain(text: str) -> str:
    """Read a free text; line breaks become spaces, and invisible characters are dropped."""
    return _short_enough(printable(text), _LONGEST_TEXT)


def duration(text: str) -> timedelta:
    """Read a duration."""
    read = parse_duration(text)
    if read is None:
        raise ValueError(A_DURATION)
    return min(read, _FOREVER)


def label(text: str) -> tuple[str, str]:
    """Read one `key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        raise ValueError("key=value, as in Kubernetes labels, such as gpu=yes")
    return key, value


def compared_label(text: str) -> tuple[str, str]:
    """Read one `key=value` that is only compared with the labels in the data."""
    key, equals, value = printable(text).partition("=")
    if not equals:
        raise ValueError("key=value, such as gpu=yes")
    return key, value


def cleared_facts(text: str) -> tuple[str, ...]:
    """Read which optional facts about a cluster to remove, separated by commas."""
    facts = tuple(dict.fromkeys(text.split(",")))
    if not set(facts) <= set(CLEARABLE):
        raise ValueError(f"{', '.join(CLEARABLE)}, or several of them separated by commas")
    return facts


def moment(text: str) -> datetime | timedelta:
    """Read a time or a date (in UTC), or a duration, which means that long ago."""
    ago = parse_duration(text)
    if ago:
        return min(ago, _FOREVER)
    expected = "a time such as 2026-01-02T03:04:05Z, a date, or how long ago, such as 2h"
    if not _DATE.fullmatch(text):
        raise ValueError(expected)
    try:
        read = datetime.fromisoformat(_LOST_PLUS.sub("+", text))  # in a query, + means a space
        if read.tzinfo:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
    if "T" in text:
        raise ValueError(expected)  # a time of day without a zone is ambiguous
    return read.replace(tzinfo=UTC)


def hold_end(text: str) -> datetime | time:
    """Read when a hold ends: a time, or a time of day (in UTC), which means the next one."""
    if _TIME_OF_DAY.fullmatch(text):
        return time.fromisoformat(text)
    end = parse_time(_LOST_PLUS.sub("+", text))
    if end is None or not may_be_stored(end):
        raise ValueError("a time such as 2026-01-02T17:30:00Z, or a time of day in UTC, such as 17:30")
    return end


def branch(text: str) -> str:
    """Read the name of a branch, strictly: it is passed to git and a shell."""
    if not git_branches.is_branch(text):
        raise ValueError(f"{_A_BRANCH}; not a commit, a tag or a pull request")
    return _branch(text)


def check_name(text: str) -> str:
    """Read the name of a check that the operator defined; `none` means no check."""
    name = _check_name(text)
    return "" if name == "none" else name


def after_expiry(text: str) -> str:
    """Read what follows a lease that ran out; `default` means the same as after a finish."""
    read = _after_expiry(text)
    return "" if read == "default" else read


def hours(text: str) -> str:
    """Read hours of the week; `always` means no restriction."""
    if len(text) > 200:
        raise ValueError("at most 200 characters")
    if text == "always":
        return ""
    weekly_hours.parse(text)
    return text
