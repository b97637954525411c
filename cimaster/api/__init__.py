"""The API that scripts curl: text by default, JSON for those who ask, GET and POST alike."""

from cimaster.api import creations, verbs, waiting
from cimaster.api.blueprint import api

__all__ = ["api", "creations", "verbs", "waiting"]
