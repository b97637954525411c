"""The buttons about a cluster for a visitor, the main one first; a disabled button says why."""

from dataclasses import replace

from cimaster.pages.frame.action_buttons import Action, admin_action, for_persons, why_not
from cimaster.pages.frame.visitors import Visitor
from cimaster.pool.decisions.holding import holder_of
from cimaster.pool.records.cluster import BROKEN, DISABLED, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.health import QUARANTINED, SUSPECT
from cimaster.web.identity.roles import Role


def for_row(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a row on the dashboard, by the cluster's state and the visitor's rights."""
    if cluster.state == BROKEN:
        return [admin_action("delete", "Delete", visitor, icon="bin")]
    if cluster.state == DISABLED and visitor.is_admin:
        return [Action("enable", "Enable", "Enabling…", "play", opens_form=False, is_main=True)]
    if cluster.state == QUARANTINED and visitor.is_admin:
        return [replace(_bring_back(visitor), is_main=True)]
    actions = _hold_actions(cluster, visitor)
    return actions if visitor.holds(cluster) or visitor.shares(cluster) else actions[:1]


def _hold_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    if visitor.holds(cluster) or visitor.shares(cluster):
        is_main = visitor.holds(cluster)
        release = Action("release", "Release", "Releasing…", "unlock", opens_form=False, is_main=is_main)
        return for_persons([release, Action("extend", "Extend", icon="clock")], visitor)
    if cluster.hold:
        return for_persons(_actions_on_others_hold(cluster, visitor), visitor)
    label, is_main = "Hold when free" if cluster.state == OCCUPIED else "Hold", cluster.state == VACANT
    return for_persons([Action("hold", label, icon="lock", expect=cluster.state, is_main=is_main)], visitor)


def _actions_on_others_hold(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons for another person's hold. A visitor without a name may be its holder, so the form asks."""
    when_free = Action("holdwhenfree", "Hold when free", icon="lock")
    if visitor.is_admin or not visitor.is_named:
        return [Action("release", "Release", icon="unlock"), when_free]
    reason = _held_by_another(cluster, "release it")
    return [when_free, Action("release", "Release", icon="unlock", disabled_reason=reason)]


def _held_by_another(cluster: Cluster, what: str) -> str:
    return f"held by {holder_of(cluster)}: the holder or an admin can {what}"


def for_menu(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the actions behind the button More of a row.

    Those on the cluster are left out if the visitor may do none of them, unless another person holds the cluster: then
    they say why. To a visitor that is no person, the button of the row says so already.
    """
    if cluster.state == BROKEN:
        return []
    shown = {action.verb for action in for_row(cluster, visitor)}
    more = [action for action in _of_a_lendable(cluster, visitor) if action.verb not in shown]
    explains = cluster.hold is not None and visitor.may(Role.PERSON)
    has_any = explains or any(not action.disabled_reason for action in more)
    return [*(more if has_any else []), Action("commands", "Commands…", icon="code")]


def for_cluster_page(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return all buttons, for the page of the cluster."""
    actions = for_row(cluster, visitor)
    if cluster.state != BROKEN:
        actions = [*actions, *_of_a_lendable(cluster, visitor)]
    first: dict[str, Action] = {}
    for action in [*actions, *for_inventory(cluster, visitor)]:
        first.setdefault(action.verb, action)
    return list(first.values())


def _of_a_lendable(cluster: Cluster, visitor: Visitor) -> list[Action]:
    return [
        *_hold_actions(cluster, visitor),
        *_more_hold_actions(cluster, visitor),
        *_health_actions(cluster, visitor),
    ]


def _more_hold_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the actions on holds that do not fit into a row."""
    if cluster.hold is None:
        return [_hold_for(visitor)]
    take_over = admin_action("takeover", "Take over…", visitor, icon="person")
    change_end = Action("changeend", "Change end…", icon="pen")
    if visitor.holds(cluster):
        share, hand_over = Action("share", "Share…", icon="people"), Action("handover", "Hand over…", icon="out")
        return for_persons([share, change_end, hand_over], visitor)
    may_be_own = visitor.is_admin or not visitor.is_named
    hand_over = Action(
        "handover",
        "Hand over…",
        icon="out",
        disabled_reason="" if may_be_own else _held_by_another(cluster, "hand it over"),
    )
    shared = [change_end] if visitor.shares(cluster) else []
    return [*for_persons([*shared, hand_over], visitor), take_over]


def _hold_for(visitor: Visitor) -> Action:
    action = admin_action("holdfor", "Hold for someone else…", visitor, icon="lock")
    if not visitor.is_verified:
        return action
    return replace(action, disabled_reason=why_not(Role.PERSON, visitor) or why_not(Role.FOR_OTHERS, visitor))


def _health_actions(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the actions that change the health of a cluster, for admins."""
    quarantine = admin_action("quarantine", "Quarantine…", visitor, icon="shield")
    suspect = admin_action("suspect", "Mark as suspect…", visitor, icon="question")
    if cluster.health.state == QUARANTINED:
        return [_bring_back(visitor)]
    return [quarantine, _bring_back(visitor)] if cluster.health.state == SUSPECT else [quarantine, suspect]


def _bring_back(visitor: Visitor) -> Action:
    busy_label = "Bringing back…"
    return admin_action("bringback", "Bring back", visitor, busy_label=busy_label, icon="play", opens_form=False)


def for_selection(visitor: Visitor) -> list[Action]:
    """Return the actions on all clusters that the visitor has ticked."""
    return [
        admin_action("disableselected", "Disable…", visitor, icon="pause"),
        admin_action("enableselected", "Enable…", visitor, icon="play"),
        admin_action("labelselected", "Edit labels…", visitor, icon="pen"),
        *for_persons([Action("releaseselected", "Release…", icon="unlock")], visitor),
        admin_action("deleteselected", "Delete…", visitor, icon="bin"),
    ]


def for_inventory_menu(_cluster: Cluster, _visitor: Visitor) -> list[Action]:
    """Return the actions in the menu of a row of the inventory: it has a button for each."""
    return []


def for_inventory(cluster: Cluster, visitor: Visitor) -> list[Action]:
    """Return the buttons of a row of the inventory."""
    delete = admin_action("delete", "Delete", visitor, icon="bin")
    if cluster.state == BROKEN:
        return [delete]
    if cluster.disabled:
        able = admin_action("enable", "Enable", visitor, busy_label="Enabling…", icon="play", opens_form=False)
    else:
        able = admin_action("disable", "Disable", visitor, icon="pause")
    bring_back = [_bring_back(visitor)] if cluster.health.state == QUARANTINED else []
    return [admin_action("edit", "Edit", visitor, icon="pen"), *bring_back, able, delete]
