"""The sentence and the link of each kind of notice."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from cimaster.common.texts import printable
from cimaster.notifiers.message import Item
from cimaster.pool.decisions.descriptions import job_label
from cimaster.pool.records import notice as kinds
from cimaster.pool.records.lease import UNKNOWN_USER
from cimaster.pool.records.notice import Notice

_HIDDEN = ("id", "kind", "at", "sendTo", "failedSince")


def item(notice: Notice, public_url: str) -> Item:
    """Return a notice as it is sent; without a public URL it has no link."""
    facts = {key: printable(value) for key, value in notice.fields.items() if isinstance(value, str)}
    shown = {key: value for key, value in facts.items() if key not in _HIDDEN}
    assert notice.at
    text = _SENTENCES[notice.kind](_Facts(shown))
    return Item(notice.id, notice.kind, notice.at, text, _link(shown, notice.kind, public_url), shown)


class _Facts(dict[str, str]):
    """The facts of a notice; a missing one is empty."""

    def __missing__(self, _key: str) -> str:
        return ""

    def after(self, words: str, key: str) -> str:
        """Return a fact after these words, or nothing if it is missing."""
        return f"{words}{self[key]}" if self[key] else ""


def _link(facts: Mapping[str, str], kind: str, public_url: str) -> str:
    if not public_url:
        return ""
    if kind == kinds.CREATION_FAILED:
        return f"{public_url}/ui/creations"
    if cluster := facts.get("cluster"):
        return f"{public_url}/ui/cluster?name={quote(cluster, safe='')}"
    return f"{public_url}/?purpose={quote(facts.get('purpose', ''), safe='')}"


def _hold_ending(facts: _Facts) -> str:
    holder = facts["person"] or UNKNOWN_USER
    return f"The hold of {facts['cluster']} by {holder} ends at {facts['ends']}: extend it if it is still needed"


def _hold_ended(facts: _Facts) -> str:
    holder, reason = facts["person"] or UNKNOWN_USER, facts.after(": ", "reason")
    return f"The hold of {facts['cluster']} by {holder} has ended{reason}"


def _your_turn(facts: _Facts) -> str:
    return f"{facts['person']} now holds {facts['cluster']}{facts.after(' until ', 'ends')}, after waiting in the queue"


def _lease_overdue(facts: _Facts) -> str:
    job, person = job_label(facts["job"], facts["build"]), facts.after(" for ", "person")
    return f"{facts['cluster']} is overdue: {job}{person} has had it since {facts['since']}"


def _quarantined(facts: _Facts) -> str:
    return f"{facts['cluster']} is quarantined{facts.after(' by ', 'by')}{facts.after(': ', 'reason')}"


def _creation_failed(facts: _Facts) -> str:
    requested = facts.after(", requested by ", "by")
    return f"The creation of a {facts['purpose']} cluster{requested}, has failed{facts.after(': ', 'reason')}"


def _none_vacant(facts: _Facts) -> str:
    return f"No {facts['purpose']} cluster has been vacant since {facts['since']}"


def _vacant_again(facts: _Facts) -> str:
    return f"A {facts['purpose']} cluster is vacant again; there was none since {facts['since']}"


_SENTENCES: Mapping[str, Callable[[_Facts], str]] = {
    kinds.HOLD_ENDING: _hold_ending,
    kinds.HOLD_ENDED: _hold_ended,
    kinds.YOUR_TURN: _your_turn,
    kinds.LEASE_OVERDUE: _lease_overdue,
    kinds.QUARANTINED: _quarantined,
    kinds.CREATION_FAILED: _creation_failed,
    kinds.NONE_VACANT: _none_vacant,
    kinds.VACANT_AGAIN: _vacant_again,
}
