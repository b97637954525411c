"""The dashboard: pages for people over the same endpoints as the API, each usable without script as well."""

from cimaster.pages.clusters import cluster_page as cluster_page
from cimaster.pages.clusters import dashboard as dashboard
from cimaster.pages.clusters import ending_holds as ending_holds
from cimaster.pages.clusters import hold_end_forms as hold_end_forms
from cimaster.pages.clusters import hold_forms as hold_forms
from cimaster.pages.clusters import hold_queue_forms as hold_queue_forms
from cimaster.pages.clusters import lost_holds as lost_holds
from cimaster.pages.creations import creation_forms as creation_forms
from cimaster.pages.creations import creation_panel as creation_panel
from cimaster.pages.frame import template_filters as template_filters
from cimaster.pages.frame import whoami as whoami
from cimaster.pages.frame.blueprint import pages as pages
from cimaster.pages.history import history_page as history_page
from cimaster.pages.inventory import health_forms as health_forms
from cimaster.pages.inventory import inventory_forms as inventory_forms
from cimaster.pages.inventory import inventory_page as inventory_page
from cimaster.pages.inventory import notice_panel as notice_panel
from cimaster.pages.inventory import policy_forms as policy_forms
from cimaster.pages.inventory import purpose_forms as purpose_forms
from cimaster.pages.inventory import purpose_panel as purpose_panel
from cimaster.pages.policies import policy_panel as policy_panel
from cimaster.pages.queue import queue_forms as queue_forms
from cimaster.pages.queue import queue_panel as queue_panel
from cimaster.pages.usage import usage_page as usage_page
