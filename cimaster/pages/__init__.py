"""The dashboard: pages for people over the same verbs as the API, each usable without script as well."""

from cimaster.pages import board, cluster_page, creation_panel, inventory_page, policy_panel, submissions, whoami, words
from cimaster.pages.blueprint import pages

__all__ = [
    "board", "cluster_page", "creation_panel", "inventory_page", "pages", "policy_panel", "submissions", "whoami",
    "words",
]  # fmt: skip
