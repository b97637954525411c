"""The WSGI application, for gunicorn: `gunicorn -c python:cimaster.gunicorn_conf`."""

from cimaster.app import served
from cimaster.settings import Settings

app = served(Settings.from_environ())
