"""What a visitor can do to a cluster, a creation or a ticket: the buttons, main one first; why some are greyed."""

from dataclasses import dataclass

from cimaster.pages.frame.visitors import Visitor
from cimaster.pool.decisions.holding import holder_of
from cimaster.pool.records.cluster import BROKEN, DISABLED, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.creation import FAILED, Creation

NEEDS_ADMIN = "only admins can do this"
BUSY = "this creation is in progress; dismiss it when that has finished"
STILL_RUNS = "its job is still running and may add the cluster"


@dataclass(frozen=True)
class Action:
    """A button. `asks` opens a form first; `busy` is shown while the click is on its way; `why_not` greys it."""

    verb: str
    label: str
    busy: str = ""
    icon: str = ""
    asks: bool = True
    expect: str = ""
    why_not: str = ""
    main: bool = False


def of(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a row: hold, extend, release, enable, by state and rights."""
    if cluster.state == BROKEN:
        return [_admins("delete", "Delete", visitor, icon="bin")]
    actions = _hold_actions(cluster, visitor)
    if cluster.state == DISABLED and visitor.is_admin:
        enable = Action("enable", "Enable", "Enabling…", "play", asks=False, main=True)
        return [enable, *actions]
    return actions


def _hold_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    if visitor.holds(cluster):
        return [
            Action("release", "Release", "Releasing…", "unlock", asks=False, main=True),
            Action("extend", "Extend", icon="clock"),
        ]
    if cluster.hold:
        return _anothers(cluster, visitor)
    label = "Hold when free" if cluster.state == OCCUPIED else "Hold"
    return [Action("hold", label, icon="lock", expect=cluster.state, main=cluster.state == VACANT)]


def _anothers(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of another person's hold. A visitor without a name may be the holder: the form asks."""
    if visitor.is_admin:
        return [Action("release", "Release", icon="unlock"), Action("takeover", "Take over…", icon="person")]
    may_be_own = not visitor.is_named
    why_not = "" if may_be_own else f"held by {holder_of(cluster)}: the holder or an admin can release it"
    return [Action("release", "Release", icon="unlock", why_not=why_not)]


def _about_the_end(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a hold that its row has no room for."""
    hand_over = Action("handover", "Hand over…", icon="out")
    if visitor.holds(cluster):
        return [Action("changeend", "Change end…", icon="pen"), hand_over]
    return [hand_over] if cluster.hold and visitor.is_admin else []


def of_admins(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of the inventory: edit, disable or enable, delete."""
    delete = _admins("delete", "Delete", visitor, icon="bin")
    if cluster.state == BROKEN:
        return [delete]
    if cluster.disabled:
        able = _admins("enable", "Enable", visitor, busy="Enabling…", icon="play", asks=False)
    else:
        able = _admins("disable", "Disable", visitor, icon="pause")
    return [_admins("edit", "Edit", visitor, icon="pen"), able, delete]


def all_of(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return every button, for a cluster's own page."""
    actions = of(cluster, visitor) + _about_the_end(cluster, visitor)
    named = {action.verb for action in actions}
    return actions + [action for action in of_admins(cluster, visitor) if action.verb not in named]


def of_creation(creation: Creation, visitor: Visitor, busy: bool, why_none: str) -> list[Action]:
    """Return the buttons of a creation: retry, dismiss. Who has given no name is asked for it first."""
    asks = not visitor.name
    dismiss = Action("dismiss", "Dismiss", "Dismissing…", "cross", asks, why_not=BUSY if busy else "")
    if creation.state != FAILED:
        return [dismiss]
    why_not = STILL_RUNS if creation.job_runs else why_none
    return [Action("retry", "Retry", "Retrying…", "again", asks, why_not=why_not), dismiss]


def of_ticket(mine: bool) -> list[Action]:
    """Return the buttons of somebody's place in the queue: cancel, the main one where it is the visitor's own."""
    return [Action("cancel", "Cancel", icon="cross", main=mine)]


def of_policy(visitor: Visitor) -> list[Action]:
    """Return the buttons of a policy: edit, remove."""
    edit = _admins("editpolicy", "Edit", visitor, icon="pen")
    return [edit, _admins("removepolicy", "Remove", visitor, icon="bin")]


def _admins(verb: str, label: str, visitor: Visitor, busy: str = "", icon: str = "", asks: bool = True) -> Action:
    return Action(verb, label, busy, icon, asks, why_not="" if visitor.is_admin else NEEDS_ADMIN)
