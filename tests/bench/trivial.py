"""Flask routes that decide and store nothing: the upper limit for any service of this kind."""

from flask import Flask, Response

app = Flask(__name__)


@app.get("/readyz")
@app.get("/")
@app.get("/getvacant")
@app.get("/finishtest")
def index() -> Response:
    """Answer with a word, and the commit number that load generators expect."""
    return Response("ok", headers={"CIMaster-Commit": "0"}, mimetype="text/plain")
