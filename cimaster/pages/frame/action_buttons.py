"""The buttons of a row for a visitor, the main one first; a disabled button says why."""

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
    """A button. With `opens_form` a form is shown first; `busy_label` shows while the request is under way."""

    verb: str
    label: str
    busy_label: str = ""
    icon: str = ""
    opens_form: bool = True
    expect: str = ""
    disabled_reason: str = ""
    is_main: bool = False


def for_row(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a row on the dashboard, by the cluster's state and the visitor's rights."""
    if cluster.state == BROKEN:
        return [_admin_action("delete", "Delete", visitor, icon="bin")]
    actions = _hold_actions(cluster, visitor)
    if cluster.state == DISABLED and visitor.is_admin:
        enable = Action("enable", "Enable", "Enabling…", "play", opens_form=False, is_main=True)
        return [enable, *actions]
    return actions


def _hold_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    if visitor.holds(cluster):
        return [
            Action("release", "Release", "Releasing…", "unlock", opens_form=False, is_main=True),
            Action("extend", "Extend", icon="clock"),
        ]
    if cluster.hold:
        return _actions_on_others_hold(cluster, visitor)
    label = "Hold when free" if cluster.state == OCCUPIED else "Hold"
    return [Action("hold", label, icon="lock", expect=cluster.state, is_main=cluster.state == VACANT)]


def _actions_on_others_hold(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons for another person's hold. A visitor without a name may be its holder, so the form asks."""
    if visitor.is_admin:
        return [Action("release", "Release", icon="unlock"), Action("takeover", "Take over…", icon="person")]
    may_be_own = not visitor.is_named
    disabled_reason = "" if may_be_own else f"held by {holder_of(cluster)}: the holder or an admin can release it"
    return [Action("release", "Release", icon="unlock", disabled_reason=disabled_reason)]


def _more_hold_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons for a hold that do not fit into its row."""
    hand_over = Action("handover", "Hand over…", icon="out")
    if visitor.holds(cluster):
        return [Action("changeend", "Change end…", icon="pen"), hand_over]
    return [hand_over] if cluster.hold and visitor.is_admin else []


def for_inventory(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a row of the inventory."""
    delete = _admin_action("delete", "Delete", visitor, icon="bin")
    if cluster.state == BROKEN:
        return [delete]
    if cluster.disabled:
        able = _admin_action("enable", "Enable", visitor, busy_label="Enabling…", icon="play", opens_form=False)
    else:
        able = _admin_action("disable", "Disable", visitor, icon="pause")
    return [_admin_action("edit", "Edit", visitor, icon="pen"), able, delete]


def for_cluster_page(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return all buttons, for the page of the cluster."""
    actions = for_row(cluster, visitor) + _more_hold_actions(cluster, visitor)
    named = {action.verb for action in actions}
    return actions + [action for action in for_inventory(cluster, visitor) if action.verb not in named]


def for_creation(creation: Creation, visitor: Visitor, busy: bool, why_none: str) -> list[Action]:
    """Return the buttons of a creation. A visitor without a name gets a form that asks for it."""
    opens_form = not visitor.name
    dismiss = Action("dismiss", "Dismiss", "Dismissing…", "cross", opens_form, disabled_reason=BUSY if busy else "")
    if creation.state != FAILED:
        return [dismiss]
    disabled_reason = STILL_RUNS if creation.job_runs else why_none
    return [Action("retry", "Retry", "Retrying…", "again", opens_form, disabled_reason=disabled_reason), dismiss]


def for_ticket(mine: bool) -> list[Action]:
    """Return the buttons of a ticket."""
    return [Action("cancel", "Cancel", icon="cross", is_main=mine)]


def for_policy(visitor: Visitor) -> list[Action]:
    """Return the buttons of a policy."""
    edit = _admin_action("editpolicy", "Edit", visitor, icon="pen")
    return [edit, _admin_action("removepolicy", "Remove", visitor, icon="bin")]


def _admin_action(
    verb: str, label: str, visitor: Visitor, busy_label: str = "", icon: str = "", opens_form: bool = True
) -> Action:
    return Action(verb, label, busy_label, icon, opens_form, disabled_reason="" if visitor.is_admin else NEEDS_ADMIN)
