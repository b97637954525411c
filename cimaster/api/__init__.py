"""The API that scripts call with curl: text by default, JSON on request, GET and POST alike."""

from cimaster.api import clusters as clusters
from cimaster.api import creations as creations
from cimaster.api import history as history
from cimaster.api import holds as holds
from cimaster.api import inventory as inventory
from cimaster.api import leases as leases
from cimaster.api import policies as policies
from cimaster.api import purposes as purposes
from cimaster.api import queue as queue
from cimaster.api import usage as usage
from cimaster.api.routes import api as api
