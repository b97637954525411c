"""The dashboard: pages for people over the same verbs as the API, each usable without script as well."""

from cimaster.pages import board, cluster_page, inventory_page, submissions, whoami, words
from cimaster.pages.blueprint import pages

__all__ = ["board", "cluster_page", "inventory_page", "pages", "submissions", "whoami", "words"]
