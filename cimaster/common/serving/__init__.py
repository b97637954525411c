"""Serves HTTP with gunicorn, for both programs: a hardened gthread worker, its settings, metrics and request log."""
