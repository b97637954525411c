"""What a button is, and the buttons of creations, tickets, policies and purposes; a disabled button says why."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cimaster.pages.frame.visitors import Visitor
from cimaster.pool.records import owners
from cimaster.pool.records.creation import FAILED, Creation
from cimaster.pool.records.owners import Caller
from cimaster.web.identity.roles import Role

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


def for_creation(creation: Creation, visitor: Visitor, caller: Caller, busy: bool, why_none: str) -> list[Action]:
    """Return the buttons of a creation. A visitor without a name gets a form that asks for it."""
    opens_form, owner = not visitor.name, owners.label(creation.owner)
    others = "" if caller.may_change(creation.owner) else f"only {owner} and admins can do this: ask {visitor.admins}"
    reason = others or (BUSY if busy else "")
    dismiss = Action("dismiss", "Dismiss", "Dismissing…", "cross", opens_form, disabled_reason=reason)
    if creation.state != FAILED:
        return for_persons([dismiss], visitor)
    disabled_reason = others or (STILL_RUNS if creation.job_runs else why_none)
    retry = Action("retry", "Retry", "Retrying…", "again", opens_form, disabled_reason=disabled_reason)
    return for_persons([retry, dismiss], visitor)


def for_ticket(mine: bool, others: str, visitor: Visitor) -> list[Action]:
    """Return the buttons of a ticket. `others` names its caller to a visitor that may not cancel it."""
    reason = f"only {others} and admins can cancel this: ask {visitor.admins}" if others else ""
    if not visitor.may(Role.CI):
        reason = why_not(Role.PERSON, visitor) or reason
    return [Action("cancel", "Cancel", icon="cross", disabled_reason=reason, is_main=mine)]


def for_purpose(visitor: Visitor) -> list[Action]:
    """Return the button of a purpose's checks."""
    return [admin_action("editpurpose", "Edit", visitor, icon="pen")]


def for_policy(visitor: Visitor) -> list[Action]:
    """Return the buttons of a policy."""
    edit = admin_action("editpolicy", "Edit", visitor, icon="pen")
    return [edit, admin_action("removepolicy", "Remove", visitor, icon="bin")]


def admin_action(
    verb: str, label: str, visitor: Visitor, busy_label: str = "", icon: str = "", opens_form: bool = True
) -> Action:
    """Return a button that is disabled unless the visitor is an admin."""
    return Action(verb, label, busy_label, icon, opens_form, disabled_reason=why_not_admin(visitor))


def why_not_admin(visitor: Visitor) -> str:
    """Return why a visitor may not do what only admins may, and whom to ask, if known; empty for an admin."""
    if visitor.is_admin:
        return ""
    return "only admins can do this" + (f": ask {visitor.admins}" if visitor.admins else "")


def why_not(role: Role, visitor: Visitor) -> str:
    """Return why a visitor may not do what a role allows, and whom to ask; empty if they have the role."""
    return "" if visitor.may(role) else f"needs the role {role}: ask {visitor.admins}"


def for_persons(actions: Iterable[Action], visitor: Visitor) -> list[Action]:
    """Return buttons of what only persons may do, disabled for other visitors, such as readers."""
    reason = why_not(Role.PERSON, visitor)
    return [replace(action, disabled_reason=reason) if reason else action for action in actions]
