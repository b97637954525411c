"""A proxy's headers: placeholder until the branch `sources` lands."""

from collections.abc import Mapping
from typing import Any

from cimaster.settings import Settings
from cimaster.web.identity.identity import Identity


class ProxyHeaders:
    """The headers with which a trusted proxy says who the caller is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def identity(self, environ: Mapping[str, Any]) -> Identity | None:
        """Return the caller that a proxy names; None if the request came without one."""
        raise NotImplementedError(environ)
