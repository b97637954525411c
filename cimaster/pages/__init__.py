"""The dashboard: pages for people over the same verbs as the API, each usable without script as well."""

from cimaster.pages import form_views as form_views
from cimaster.pages.clusters import cluster_page as cluster_page
from cimaster.pages.clusters import dashboard as dashboard
from cimaster.pages.creations import creation_panel as creation_panel
from cimaster.pages.frame import template_filters as template_filters
from cimaster.pages.frame import whoami as whoami
from cimaster.pages.frame.blueprint import pages as pages
from cimaster.pages.inventory import inventory_page as inventory_page
from cimaster.pages.policies import policy_panel as policy_panel
from cimaster.pages.queue import queue_panel as queue_panel
