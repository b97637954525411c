"""The WSGI application, for gunicorn: `gunicorn -c python:cimaster.gunicorn_conf`."""

from cimaster.app import PortDispatch, create_app
from cimaster.settings import Settings

_settings = Settings.from_environ()
app = PortDispatch(create_app(_settings), _settings.metrics_port)
