"""The cache of answers: bounded, and refused tokens displace no accepted one."""

from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.review_cache import Answer, ReviewCache

GOOD = Answer(Identity("system:serviceaccount:ci:e2e", Source.SERVICE_ACCOUNT), 60, 45)
BAD = Answer(None, 5, 45)


def found(cache: ReviewCache, now: float = 0) -> list[int]:
    """Return which of the keys 0 to 9 the cache knows."""
    return [key for key in range(10) if cache.find(bytes([key]), now)]


def test_the_oldest_answer_goes_first() -> None:
    cache = ReviewCache(3)
    for key in (0, 1, 2, 0, 3):
        cache.keep(bytes([key]), GOOD)
    assert found(cache) == [0, 2, 3]


def test_refused_tokens_displace_only_each_other() -> None:
    cache = ReviewCache(3)
    for key in range(3):
        cache.keep(bytes([key]), GOOD)
    for key in range(3, 10):
        cache.keep(bytes([key]), BAD)
    assert found(cache) == [0, 1, 2, 7, 8, 9]


def test_an_answer_counts_until_its_end() -> None:
    cache = ReviewCache()
    cache.keep(b"\x00", GOOD)
    cache.keep(b"\x01", BAD)
    assert [found(cache, now) for now in (4.9, 5, 59.9, 60)] == [[0, 1], [0], [0], []]


def test_a_newer_answer_replaces_the_earlier_one() -> None:
    cache = ReviewCache()
    for answer in (GOOD, BAD, GOOD, BAD):
        cache.keep(b"x", answer)
        assert cache.find(b"x", 0) is answer
