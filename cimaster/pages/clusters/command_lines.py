"""Ready-made command lines about a cluster, with the address of this service, for people to copy."""

import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cimaster.pages.frame import outside_links
from cimaster.pages.frame.visitors import current_visitor, element_id
from cimaster.web import access, public_url

_VARIABLE = "CIMASTER_CLIENT_TOKEN_FILE"  # names the file of the token to the client too


@dataclass(frozen=True)
class Command:
    """One thing to do, as a line for curl and as one for the client of CIMaster."""

    id: str
    title: str
    curl: str
    client: str


def context(cluster: str) -> dict[str, Any]:
    """Build the context of fragments/commands.html."""
    return {
        "name": cluster,
        "commands": commands(cluster, current_visitor().name if access.is_open() else ""),
        "kubeconfig_url": outside_links.of_kubeconfig(cluster),
    }


def commands(cluster: str, person: str) -> list[Command]:
    """Return the command lines about a cluster.

    Without a name, the shell fills in the user's; where callers are identified, the name is that of the token.
    """
    server = public_url.link("pages.dashboard").rstrip("/")
    by, asks_name = {"name": person} if person else {}, access.is_open() and not person
    kinds = (
        ("hold", "Hold it", "holdcluster", by | {"duration": "1h"}),
        ("release", "Release it", "releasecluster", by),
        ("take", "Take it for a job", "getvacant", {"job": "JOB", "build": "BUILD"}),
    )
    return [
        Command(
            f"{element_id(cluster)}-{verb}",
            title,
            _curl(f"{server}/{path}", {"cluster": cluster, **options}, asks_name=asks_name and verb != "take"),
            _client(verb, cluster, options, server),
        )
        for verb, title, path, options in kinds
    ]


def _curl(address: str, fields: dict[str, str], *, asks_name: bool) -> str:
    sent = shlex.quote(urlencode(fields))
    name = ' --data-urlencode "name=$USER"' if asks_name else ""
    token = "" if access.is_open() else f' -H "Authorization: Bearer $(cat "${_VARIABLE}")"'
    return f"curl -sS --fail-with-body{token} -d {sent}{name} {shlex.quote(address)}"


def _client(verb: str, cluster: str, options: dict[str, str], server: str) -> str:
    named = {"cluster": cluster, **options} if verb == "take" else options
    flags = [text for name, value in {**named, "server": server}.items() for text in _flag(name, value)]
    subject = [] if verb == "take" else [cluster]
    words = [*flags, "--", *subject] if cluster.startswith("-") else [*subject, *flags]
    return shlex.join(["cimaster", verb, *words])


def _flag(name: str, value: str) -> list[str]:
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]
