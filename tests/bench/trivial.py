"""A Flask route that does nothing: what any service of this kind could serve at best."""

from flask import Flask

app = Flask(__name__)


@app.get("/readyz")
@app.get("/")
def index() -> str:
    """Say a word."""
    return "ok\n"
