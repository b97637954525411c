"""Flask routes that decide nothing and store nothing: what any service of this kind could serve at best."""

from flask import Flask, Response

app = Flask(__name__)


@app.get("/readyz")
@app.get("/")
@app.get("/getvacant")
@app.get("/finishtest")
def index() -> Response:
    """Answer a word, with a commit number that load generators expect."""
    return Response("ok", headers={"CIMaster-Commit": "0"}, mimetype="text/plain")
