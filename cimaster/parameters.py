"""The forms that parameters take: each function reads a text, or raises ValueError with what was expected."""

import re
import unicodedata
from datetime import datetime, timedelta

from cimaster import gitrefs
from cimaster.pool import weekly_hours
from cimaster.pool.cluster import STATES
from cimaster.pool.creation import CREATION_STATES
from cimaster.pool.creations import MOST_OPEN
from cimaster.pool.ticket import PRIORITIES
from cimaster.times import parse_duration, parse_time

_CLUSTER = re.compile(r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:+-]{0,99}")
_JOB = re.compile(r"[!-~]([ -~]{0,251}[!-~])?")
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_LEASE = re.compile(r"[A-Za-z0-9-]{1,64}")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_BRANCH = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9_]([A-Za-z0-9._/+-]{0,200}[A-Za-z0-9_+-])?")
_PROW_JOB = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,199}[A-Za-z0-9_])?")
_CREATION = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_TEXT = 500
_MOST_CLUSTERS = 1000
_SHORTEST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(days=1)
_SHORTEST_LEASE, _LONGEST_LEASE = timedelta(minutes=1), timedelta(days=7)
_FOREVER = timedelta(days=36500)  # longer than anybody may hold anything, and short enough to add to a date
_UNSEEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_MISLEADING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff\ufffd")


def _matching(pattern: re.Pattern[str], text: str, expected: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(expected)
    return text


def new_cluster(text: str) -> str:
    """Read the name of a cluster to add; `any` is how a hold asks for whichever is vacant."""
    if text == "any":
        raise ValueError("another name than 'any', which means whichever is vacant")
    return _matching(_CLUSTER, text, "a name of 1 to 63 lower case letters, digits, '-' and '.', such as cluster-05")


def cluster(text: str) -> str:
    """Read the name of a cluster; any name that may be in the data already is let through."""
    return plain(text, 253)


def person(text: str) -> str:
    """Read a person's or a bot's name."""
    return _matching(_PERSON, text, "a name of 1 to 63 letters, digits, '.', '_', '@' and '-', such as alice")


def email(text: str) -> str:
    """Read an e-mail address and return the name before the @."""
    name, at, domain = text.partition("@")
    if not at or not domain or not _PERSON.fullmatch(name) or not _WORD.fullmatch(domain):
        raise ValueError("an address such as ci-bot@example.com")
    return name


def word(text: str) -> str:
    """Read a region, a purpose or an image."""
    return _matching(_WORD, text, "1 to 100 letters, digits and '._/:+-', such as us-west")


def job(text: str) -> str:
    """Read a job's name or a build's number."""
    return _matching(_JOB, text, "1 to 253 printable ASCII characters, such as e2e-test")


def request_id(text: str) -> str:
    """Read the id of a request."""
    return _matching(_REQUEST_ID, text, "1 to 128 printable ASCII characters without spaces, best a new uuid")


def lease(text: str) -> str:
    """Read the id of a lease."""
    return _matching(_LEASE, text, "the lease id that the take answered in the header CIMaster-Lease")


def plain(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Read a free text of one line."""
    if len(text) > longest:
        raise ValueError(f"at most {longest} characters")
    if any(unicodedata.category(char) in _UNSEEN or char in _MISLEADING for char in text):
        raise ValueError("one line of UTF-8 text without control characters")
    if not text.strip():
        raise ValueError("a text that is not blank")
    return text


def duration(text: str) -> timedelta:
    """Read a duration."""
    read = parse_duration(text)
    if read is None:
        raise ValueError("a duration such as 90s, 30m, 6h or 2d")
    return min(read, _FOREVER)


def lease_time(text: str) -> timedelta:
    """Read how long a lease is to last."""
    read = parse_duration(text)
    if read is None or not _SHORTEST_LEASE <= read <= _LONGEST_LEASE:
        raise ValueError("a duration from 1m to 7d, such as 90m")
    return read


def wait(text: str) -> timedelta:
    """Read how long somebody waits for a cluster."""
    read = parse_duration(text)
    if read is None or not _SHORTEST_WAIT <= read <= _LONGEST_WAIT:
        raise ValueError("a duration from 1s to 1d, such as 30m")
    return read


def priority(text: str) -> str:
    """Read how urgent it is."""
    if text not in PRIORITIES:
        raise ValueError(f"one of {', '.join(PRIORITIES)}")
    return text


def label(text: str) -> tuple[str, str]:
    """Read one `key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        raise ValueError("key=value, as Kubernetes has labels, such as gpu=yes")
    return key, value


def flag(text: str) -> bool:
    """Read true or false."""
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def state(text: str) -> str:
    """Read a cluster's state."""
    if text not in STATES:
        raise ValueError(f"one of {', '.join(STATES)}")
    return text


def moment(text: str) -> datetime:
    """Read a time."""
    read = parse_time(text)
    if read is None:
        raise ValueError("a time such as 2026-01-02T03:04:05Z")
    return read


def branch(text: str) -> str:
    """Read the name of a branch; it reaches git and a shell."""
    expected = "the name of a branch, such as master or release-1.32"
    if not gitrefs.is_branch(text):
        raise ValueError(f"{expected}; a commit, a tag or a pull request is none")
    return _matching(_BRANCH, text, expected)


def prow_job(text: str) -> str:
    """Read the name of a job that creates clusters."""
    return _matching(_PROW_JOB, text, "the name of a job: letters, digits, '.', '_' and '-', such as e2e-k8s-1.32")


def creation(text: str) -> str:
    """Read the id of a creation, or the name of its ProwJob."""
    return _matching(_CREATION, text, "the id of a creation (/creations lists them), or the name of its ProwJob")


def creation_state(text: str) -> str:
    """Read the state of a creation."""
    if text not in CREATION_STATES:
        raise ValueError(f"one of {', '.join(CREATION_STATES)}")
    return text


def clusters(text: str) -> int:
    """Read a number of clusters."""
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= _MOST_CLUSTERS):
        raise ValueError(f"a number from 0 to {_MOST_CLUSTERS}")
    return int(text)


def at_once(text: str) -> int:
    """Read how many clusters may be created at once."""
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MOST_OPEN):
        raise ValueError(f"a number from 1 to {MOST_OPEN}")
    return int(text)


def cooldown(text: str) -> timedelta:
    """Read the time between two rounds of requests."""
    read = parse_duration(text)
    if read is None or not timedelta(seconds=1) <= read <= timedelta(days=1):
        raise ValueError("a duration from 1s to 1d, such as 5m")
    return read


def hours(text: str) -> str:
    """Read hours of the week; `always` takes them away."""
    if len(text) > 200:
        raise ValueError("at most 200 characters")
    if text == "always":
        return ""
    weekly_hours.parse(text)
    return text


def commit(text: str) -> int:
    """Read a commit number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("a commit number, from the header CIMaster-Commit")
    return int(text)


def limit(text: str) -> int:
    """Read how many entries to list."""
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 1000):
        raise ValueError("a number from 1 to 1000")
    return int(text)
