"""The form with which admins choose how the clusters of a purpose are checked and cleaned."""

from collections.abc import Mapping
from typing import Any

from cimaster.common.times import format_duration
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result, changed
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pages.inventory import purpose_panel
from cimaster.pool import Answer, PurposeTerms
from cimaster.pool.decisions.purposes import AFTER_EXPIRY_WORDS
from cimaster.pool.records.purpose import DEFAULT_CHECK_EVERY
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import SetPurpose

_RULES = ("check", "every", "clean", "after_expiry")


def _context(values: Mapping[str, str], _is_shown_again: bool) -> dict[str, Any]:
    """Show the rules of the purpose as they are now."""
    purpose = values.get("purpose", "")
    lines = purpose_panel.lines(latest(), current_visitor())
    line = next((line for line in lines if line.name == purpose), None)
    return {
        "row": line,
        "facts": line.fields if line else {},
        "checks": _choices(line.fields["check"] if line else ""),
        "cleans": _choices(line.fields["clean"] if line else ""),
        "after_expiry": AFTER_EXPIRY_WORDS,
        "usual_interval": format_duration(DEFAULT_CHECK_EVERY),
    }


def _choices(current: str) -> list[tuple[str, str]]:
    """Return the checks that the operator has defined, and the current one, which may no longer be defined."""
    names = components().checks.names
    missing = [(current, f"{current} (not defined)")] if current and current not in names else []
    return [("", "none"), *missing, *((name, name) for name in names)]


def _edit(form: SetPurpose) -> Committed:
    """Write only what was changed in the form: someone else may have changed the rest in the meantime."""
    names = changed(*_RULES)
    if not names:
        return Committed(Answer(f"the rules of {form.purpose} are unchanged"), 0)
    checks = components().checks
    if "check" in names:
        checks.require("check", form.check)
    if "clean" in names:
        checks.require("clean", form.clean)
    terms = PurposeTerms(
        check=form.check or "" if "check" in names else None,
        check_every=form.every or DEFAULT_CHECK_EVERY if "every" in names else None,
        clean=form.clean or "" if "clean" in names else None,
        after_expiry=form.after_expiry or "" if "after_expiry" in names else None,
    )
    return components().clusters.set_purpose(form.purpose, form.name, terms)


def _update(result: Result) -> PageUpdate:
    return PageUpdate("purposes", "fragments/purposes.html", purpose_panel.context(result.snapshot))


serve(
    Form(
        "/ui/admin/editpurpose",
        endpoints.SETPURPOSE,
        _edit,
        title="Checks and cleaning of",
        button="Save",
        busy_label="Saving…",
        subject="purpose",
        context=_context,
        update=_update,
    )
)
