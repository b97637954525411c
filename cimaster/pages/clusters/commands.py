"""The dialog with the command lines about a cluster; without script it is a page."""

from flask import render_template, request

from cimaster.pages.clusters import command_lines
from cimaster.pages.frame import addresses
from cimaster.pages.frame.blueprint import is_htmx_request, pages
from cimaster.pages.frame.visitors import latest


@pages.get("/ui/commands")
def commands() -> str:
    """Show the command lines about a cluster."""
    name = latest().pool.find(request.args.get("cluster", "")).name
    template = "forms/commands.html" if is_htmx_request() else "commands_page.html"
    return render_template(template, back=addresses.return_address(), **command_lines.context(name))
