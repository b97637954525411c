"""The short forms of ended leases and of remembered requests, and what earlier versions stored."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.pool import UNVERIFIED, FinishRequest
from cimaster.pool.records import past_uses, remembered
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.health import RESULTS, JobResult
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.record_lists import encode
from cimaster.pool.records.remembered_request import RememberedRequest, parse_requests
from cimaster.pool.records.short_forms import (
    long_hex,
    long_number,
    long_time,
    short_hex,
    short_number,
    short_time,
)

NOW = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)
LEASE = Lease("0123456789abcdef", "e2e-conformance", "1834567890123456789", "ci-bot", "a-uuid")
TEXTS = st.text(st.characters(codec=None), max_size=30)
EARLIER = {"id": "lease-1", "request": "r-1", "job": "e2e", "build": "7", "how": "finished", "by": "job build"}


@pytest.mark.parametrize(("how", "by"), [("finished", ""), ("finished", "job build"), ("expired", ""), ("undone", "")])
@pytest.mark.parametrize("lease", [LEASE, Lease("", "e2e", "", "")])
def test_an_ended_lease_reads_back_as_it_was_written(lease: Lease, how: str, by: str) -> None:
    ended = (EndedLease.of(lease, how, NOW, by), EndedLease.of(LEASE, "expired", NOW - timedelta(hours=1)))
    stored = remembered.edits(ended, ())
    assert len(stored["lastUses"] or "") < 66
    assert remembered.read(stored) == (ended, ())


def test_a_late_finish_may_name_only_the_job_or_only_the_build() -> None:
    ((ended,), _) = remembered.read(remembered.edits([EndedLease.of(LEASE, "finished", NOW)], ()))
    for named in ((LEASE.id, "", ""), ("", LEASE.job, ""), ("", "", LEASE.build), ("", LEASE.job, LEASE.build)):
        assert FinishRequest("a", *named).matches_ended(ended)
    for named in (("another", "", ""), ("", "another", ""), ("", "", "another"), ("", LEASE.job, "another")):
        assert not FinishRequest("a", *named).matches_ended(ended)


def test_leases_of_earlier_versions_are_remembered_with_newer_ones() -> None:
    later, earlier = ({**EARLIER, "at": f"2026-01-02T{hour}:00:00Z"} for hour in ("13", "11"))
    stored = remembered.edits([EndedLease.of(LEASE, "expired", NOW)], ())
    (newest, middle, oldest), _ = remembered.read({**stored, "endedLeases": [later, earlier]})
    assert (newest.key, middle.how, oldest.at) == ("lease-1", "expired", datetime(2026, 1, 2, 11, tzinfo=UTC))
    assert FinishRequest("a", job="e2e", build="7").matches_ended(newest)


def test_leases_and_results_that_were_stored_apart_are_read() -> None:
    stored = {
        "lastLeases": "JBpV7NF58DOe0ZfvDz87sJIJ8XRN--NuleBpV7NF................Tfika.....",
        "lastResults": ["fBpV7NFe2e-conformance\t1834567890123456789"],
    }
    leases, results = remembered.read(stored)
    assert leases == (
        EndedLease.of(LEASE, "finished", NOW, "job build"),
        EndedLease.of(Lease("", "e2e", "", ""), "expired", NOW),
    )
    assert results == (JobResult("fail", LEASE.job, LEASE.build, NOW),)


@given(TEXTS | st.none() | st.integers() | st.lists(TEXTS))
def test_ended_leases_are_read_whatever_is_stored(stored: object) -> None:
    leases, _ = remembered.read(dict.fromkeys(remembered.MEMBERS, stored))
    assert all(isinstance(lease, EndedLease) for lease in leases)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["getvacant", "finishtest", "addcluster", ""]), TEXTS)
def test_any_remembered_request_reads_back(cluster: str, say: str, lease: str, verb: str, owner: str) -> None:
    cluster, lease = ("", "") if verb == "getvacant" else (cluster, lease.encode("ascii", "ignore").decode().strip())
    request = RememberedRequest.new("r", "h", verb, NOW, cluster, say, "".join(lease.split()), owner)
    text = encode([request])
    if request.text.isascii() and request.lease.isprintable():
        assert parse_requests(text) == {request.key: request}
    assert encode(parse_requests(text).values()) == text


def test_a_usual_answer_is_stored_in_70_bytes() -> None:
    say = "cluster cluster-01 is finished"
    finished = RememberedRequest.new("r", "h", "finishtest", NOW, "cluster-01", say, LEASE.id, "0123456789ab")
    assert finished.size < 70
    assert parse_requests(encode([finished]))[finished.key] == finished


@given(TEXTS)
def test_requests_are_read_whatever_is_stored(stored: str) -> None:
    text = json.dumps([stored, "g" + stored, "f" + "A" * 28 + stored])
    assert encode(parse_requests(text).values()).count("\n") >= 2


@given(st.timedeltas(timedelta(), timedelta(days=80_000)))
def test_times_are_kept_to_the_second(since: timedelta) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + since
    assert long_time(short_time(moment)) == moment.replace(microsecond=0)


@given(st.text(max_size=20) | st.text("0123456789abcdef", min_size=16, max_size=16))
def test_hexadecimal_digits_are_kept(text: str) -> None:
    if len(text) != 11:
        assert long_hex(short_hex(text)) == text


@given(st.text() | st.from_regex("~?[0-9]{13,20}", fullmatch=True))
def test_build_numbers_and_any_other_names_are_kept(text: str) -> None:
    assert long_number(short_number(text)) == text


NAMES = st.sampled_from(["e2e", "e2e-conformance-1.32", "1834567890123456789", "", "a, b%2C"]) | st.text(
    st.characters(exclude_categories=["C"]), max_size=9
)
TIMES = st.sampled_from([NOW, NOW + timedelta(seconds=1), None])
LEASES = st.builds(Lease, st.sampled_from(["", LEASE.id]), NAMES, NAMES, st.just("ci-bot"), st.sampled_from(["", "r"]))
ENDED = st.builds(EndedLease.of, LEASES, st.sampled_from(["finished", "expired", "undone"]), st.just(NOW))
JOB_RESULTS = st.builds(JobResult, st.sampled_from(RESULTS), NAMES, NAMES, TIMES)


@given(st.lists(ENDED, max_size=3), st.lists(JOB_RESULTS, max_size=5))
def test_what_a_record_remembers_reads_back(leases: list[EndedLease], results: list[JobResult]) -> None:
    assert remembered.read(remembered.edits(leases, results)) == (tuple(leases), tuple(results))


@given(st.lists(st.tuples(LEASES, st.sampled_from(RESULTS)), min_size=1, max_size=3))
def test_a_lease_and_the_result_of_its_job_are_stored_once(uses: list[tuple[Lease, str]]) -> None:
    times = [NOW - timedelta(hours=number) for number in range(len(uses))]
    leases = [EndedLease.of(lease, "finished", at) for (lease, _), at in zip(uses, times, strict=True)]
    results = [JobResult(result, lease.job, lease.build, at) for (lease, result), at in zip(uses, times, strict=True)]
    assert remembered.read(remembered.edits(leases, results)) == (tuple(leases), tuple(results))
    assert all(use.lease and use.result for use in past_uses.paired(leases, results))


def test_a_use_by_a_job_of_prow_is_stored_in_60_bytes() -> None:
    ended, result = EndedLease.of(LEASE, "finished", NOW), JobResult("pass", LEASE.job, LEASE.build, NOW)
    first = past_uses.written(past_uses.paired([ended], [result]))
    both = past_uses.written(past_uses.paired([ended, ended], [result, result]))
    assert len(first) < 60
    assert len(both) - len(first) < 40


def test_results_of_earlier_versions_count_with_newer_ones() -> None:
    newer = JobResult("fail", "e2e", "8", NOW)
    earlier = ["pass", "e2e", "7", "2026-01-02T11:00:00Z"], {"result": "fail", "at": "2026-01-02T13:00:00Z"}
    _, found = remembered.read({**remembered.edits((), [newer]), "results": [*earlier]})
    assert [(each.result, each.build) for each in found] == [("fail", ""), ("fail", "8"), ("pass", "7")]


def test_callers_see_the_long_forms_of_what_is_remembered() -> None:
    result, ended = JobResult("fail", "e2e", "8", NOW), EndedLease.of(LEASE, "finished", NOW, "job")
    cluster = Cluster.new({"name": "c-1", "status": "finished", **remembered.edits([ended], [result])})
    shown = json.loads(cluster.described(UNVERIFIED))
    at = "2026-01-02T12:00:05Z"
    assert shown["results"] == [{"result": "fail", "job": "e2e", "build": "8", "at": at}]
    assert shown["endedLeases"] == [{"how": "finished", "at": at, "by": "job"}]
    assert shown.keys().isdisjoint({"lastUses", "lastResults", "lastLeases"})


@given(TEXTS | st.lists(TEXTS) | st.none() | st.from_regex("[fjbJeu?-][pfe-]B[A-Za-z0-9,~-]{0,60}", fullmatch=True))
def test_results_are_read_whatever_is_stored(stored: object) -> None:
    _, results = remembered.read(dict.fromkeys(remembered.MEMBERS, stored))
    assert all(isinstance(each, JobResult) and each.result in RESULTS for each in results)
