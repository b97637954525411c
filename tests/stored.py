"""Stored objects in which any member of any record may be any JSON value, for tests that none of these does harm."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from cimaster.pool.codec import CLUSTERS, CREATIONS, HISTORY, POLICIES, PURPOSES, QUEUE, REQUESTS, TICKETS

_NOW, _LATER = ('"2026-01-02T11:59:00Z"', '"2026-01-02T13:00:00Z"')
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
_CLUSTER = {
    "name": '"cluster-01"',
    "region": '"us"',
    "status": '"finished"',
    "lastJob": '"e2e"',
    "lastBuild": '"7"',
    "lastTriggerName": '"al"',
    "hold": "false",
    "disabled": "false",
    "purpose": '"tess-ci"',
    "osimage": '"flatcar"',
    "note": '"n"',
    "labels": '{"gpu": "yes"}',
    "vacantSince": _NOW,
    "disabledBy": '"root"',
    "disabledReason": '"r"',
    "health": '"suspect"',
    "healthReason": '"its check failed"',
    "healthSince": _NOW,
    "healthCause": '"checks"',
    "healthBy": '"root"',
    "healthyFrom": _NOW,
    "failedChecks": "1",
    "checking": '"clean"',
    "checkId": '"4"',
    "checkBy": '"x"',
    "checkUntil": _NOW,
    "checkAfter": _NOW,
    "checkedAt": _NOW,
    "results": f'[["fail", "e2e", "8", {_NOW}], {{"result": "fail", "job": "e2e", "build": "7", "at": {_NOW}}}]',
    "endedLeases": f'[{{"id": "l-0", "job": "e2e", "build": "7", "how": "finished", "at": {_NOW}}}]',
}
_HELD = _CLUSTER | {
    "name": '"cluster-02"',
    "hold": "true",
    "holdBy": '"al"',
    "holdDesc": '"d"',
    "heldAt": _NOW,
    "holdExpires": _LATER,
    "holdFor": '"6h"',
    "holdWith": '["carol"]',
}
_TAKEN = _HELD | {
    "name": '"cluster-03"',
    "status": '"testing"',
    "leaseId": '"l-1"',
    "leaseJob": '"e2e"',
    "leaseBuild": '"7"',
    "requestId": '"r-1"',
    "requestHash": '"h"',
    "acquiredAt": _NOW,
    "leaseExpires": _LATER,
    "leaseTtl": '"1h"',
    "holdOnFailure": '"2h"',
}
_ENTRY = {
    "commit": "3",
    "at": _NOW,
    "cluster": '"cluster-01"',
    "event": '"finished"',
    "from": '"occupied"',
    "to": '"vacant"',
    "by": '"al"',
    "job": '"e2e"',
    "build": '"7"',
    "reason": '"r"',
    "holder": '"bob"',
    "waited": '"5m"',
}
_REQUEST = {
    "id": '"r-2"',
    "hash": '"h"',
    "verb": '"holdcluster"',
    "at": _NOW,
    "cluster": '"cluster-01"',
    "say": '"held"',
    "lease": '"l-2"',
}
_CREATION = {
    "id": '"c-1"',
    "state": '"requested"',
    "purpose": '"tess-ci"',
    "user": '"al"',
    "branch": '"master"',
    "job": '"e2e"',
    "requestedAt": _NOW,
    "deadline": _LATER,
    "claimBy": '"x"',
    "claimUntil": _NOW,
    "nextTry": _NOW,
    "tries": "1",
    "round": "1",
    "policy": "true",
    "force": "true",
    "maybeBegun": "true",
    "retriedAt": _NOW,
}
_JOB = _CREATION | {
    "id": '"c-2"',
    "state": '"running"',
    "jobName": '"j-1"',
    "statusLink": '"http://x"',
    "logLink": '"http://x"',
    "message": '"m"',
    "triggeredAt": _NOW,
    "jobGuessed": "true",
}
_FAILED = _JOB | {
    "id": '"c-3"',
    "state": '"failed"',
    "failure": '"job"',
    "reason": '"no quota"',
    "failedAt": _NOW,
    "readyAt": _NOW,
    "jobEnded": _NOW,
    "cluster": '"cluster-01"',
    "dismissedBy": '""',
    "retriedBy": '"al"',
}
_POLICY = {
    "purpose": '"tess-ci"',
    "minVacant": "5",
    "maxTotal": "9",
    "maxCreating": "2",
    "cooldown": '"5m"',
    "hours": '"Mon-Sun 00:00-24:00"',
    "job": '"e2e"',
    "branch": '"master"',
    "by": '"root"',
    "at": _NOW,
}
_PURPOSE = {
    "purpose": '"tess-ci"',
    "check": '"ping"',
    "checkEvery": '"5m"',
    "clean": '"wipe"',
    "afterExpiry": '"quarantine"',
    "setBy": '"root"',
    "setAt": _NOW,
}
_TICKET = {
    "id": '"r-3"',
    "hash": '"h"',
    "priority": '"high"',
    "since": _NOW,
    "until": _LATER,
    "here": _LATER,
    "keeps": '"9s"',
    "ask": '{"job": "e2e", "build": "8", "by": "al", "labels": {"gpu": "yes"}, "ttl": "1h", "purpose": "tess-ci"}',
}
_SHORT_TICKET = {
    "id": '"r-3"',
    "h": '"h"',
    "o": '"f00"',
    "p": '"high"',
    "s": "1767355140",
    "u": "3660",
    "c": "3660",
    "k": '"9s"',
    "j": '"e2e"',
    "b": '"8"',
    "n": '"al"',
    "ask": '{"labels": {"gpu": "yes"}, "ttl": "1h", "purpose": "tess-ci"}',
}
_HOLD_TICKET = _TICKET | {"id": '"hold-1"', "holdFor": '"2h"', "desc": '"why"', "holdWith": '["carol"]'}
_RECORDS = {
    CLUSTERS: (_CLUSTER, _HELD, _TAKEN),
    HISTORY: (_ENTRY,),
    REQUESTS: (_REQUEST,),
    CREATIONS: (_CREATION, _JOB, _FAILED),
    POLICIES: (_POLICY,),
    PURPOSES: (_PURPOSE,),
    QUEUE: (_TICKET,),
    TICKETS: (_TICKET, _SHORT_TICKET, _HOLD_TICKET),
}
_DEEP = "[" * 5000 + "]" * 5000
_ODD = (
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "1.5",
    "1e400",
    "-1e400",
    "9" * 5000,
    "1" + "0" * 400,
    "[]",
    "{}",
    "[[]]",
    '[{"id": 5, "how": [], "at": "9999-12-31T23:59:59Z", "x": 1e400}, 7, {"job": {}}]',
    '{"a": 1e400, "b": null}',
    '{"job": [], "build": 1e400, "ttl": "99999999d", "labels": {"\\ud800": "\\udfff", "b": 9}, "cluster": {}}',
    _DEEP,
    "[" * 300 + "]" * 300,
    '{"a":' * 90 + "1" + "}" * 90,
    '""',
    '" "',
    '"x"',
    '"x\\r\\nY: 1"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\u202e\u200d\u3164"',
    '"' + "a\u0301" * 200 + '"',
    '"Größe 😀"',
    '"#0"',
    '"../../x"',
    '"%00%0a"',
    '"<b>"',
    f'"{"y" * 3000}"',
    '"testing"',
    '"finished"',
    '"running"',
    '"quarantined"',
    '"check"',
    '"broken"',
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59Z"',
    '"9999-12-31T23:59:59-23:59"',
    '"30.11.2026"',
    '"2200-01-01T00:00:00Z"',
    '"1901-01-01T00:00:00Z"',
    _NOW,
    _LATER,
    '"99999999d"',
    '"999999999d"',
    '"36500d"',
    '"1s"',
    '"never"',
    '"cluster-01"',
    '"r-1"',
    '"tess-ci"',
)
ODD = st.integers(0, len(_ODD) - 1).map(
    lambda place: _ODD[place]
)  # hypothesis would write all of them into its reports


def _record(base: dict[str, str]) -> st.SearchStrategy[str]:
    changes = st.dictionaries(st.sampled_from(sorted(base)), ODD, min_size=1, max_size=4)
    gone = st.sets(st.sampled_from(sorted(base)), max_size=2)
    return st.tuples(changes, gone).map(
        lambda drawn: (
            "{"
            + ", ".join(f'"{key}": {value}' for key, value in {**base, **drawn[0]}.items() if key not in drawn[1])
            + "}"
        )
    )


def _array(bases: tuple[dict[str, str], ...]) -> st.SearchStrategy[str]:
    records = st.lists(st.sampled_from(bases).flatmap(_record) | ODD, max_size=4)
    lines = records.map(lambda texts: "[\n" + ",\n".join(texts) + "\n]" if texts else "[]")
    return lines | records.map(lambda texts: f"[{', '.join(texts)}]")


OBJECTS: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {key: _array(bases) for key, bases in _RECORDS.items()}
)
"""The data of a stored object: every key is a valid JSON array."""
