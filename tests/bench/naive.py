"""A naive version for comparison: the first service's algorithm, fairly implemented.

Each request reads the object, chooses, and replaces it at the version that it read. After a conflict it
pauses 50 to 200 ms and begins again, three times at most. It uses our stores, which are faster than the generated
client that a first version would have used.
"""

import json
import random
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

from cimaster.errors import StoreTrouble
from cimaster.repository.stores import open_store
from cimaster.repository.stores.port import AnswerLost, Conflict
from cimaster.settings import Settings

_TRIES = 3
_PAUSE = 0.05, 0.2  # seconds
_store = open_store(Settings.from_environ())
app = Flask(__name__)

Records = list[dict[str, Any]]


class Refused(Exception):
    """A refused request: its status, and the reason."""


def _update(change: Callable[[Records], str]) -> Response:
    for _ in range(_TRIES):
        try:
            stored = _store.read()
            records = json.loads(stored.data["cluster.json"])
            answer = change(records)
            data = {**stored.data, "cluster.json": json.dumps(records)}
            version = _store.replace(stored.replaced(data, stored.annotations))
        except Refused as refused:
            status, code = refused.args
            return Response(f"{code}\n", status, {"CIMaster-Code": code}, mimetype="text/plain")
        except Conflict:
            time.sleep(random.uniform(*_PAUSE))
        except (AnswerLost, StoreTrouble):
            break
        else:
            return Response(answer, 200, {"CIMaster-Commit": version}, mimetype="text/plain")
    return Response("too many conflicts\n", 503, {"CIMaster-Code": "conflicts"}, mimetype="text/plain")


@app.get("/getvacant")
def getvacant() -> Response:
    """Lend the first vacant cluster."""

    def take(records: Records) -> str:
        for record in records:
            if record["status"] == "finished" and not record.get("hold") and not record.get("disabled"):
                record.update(status="testing", lastJob=request.args["job"], lastBuild=request.args["build"])
                return str(record["name"])
        raise Refused(404, "no_vacant_cluster")

    return _update(take)


@app.get("/finishtest")
def finishtest() -> Response:
    """Give a cluster back."""

    def finish(records: Records) -> str:
        for record in records:
            if record["name"] == request.args["cluster"]:
                record["status"] = "finished"
                return f"cluster {record['name']} is finished\n"
        raise Refused(404, "unknown_cluster")

    return _update(finish)


@app.get("/readyz")
def readyz() -> str:
    """Answer that the service is ready."""
    return "ok\n"
