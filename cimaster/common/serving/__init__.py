"""How both programs serve HTTP under gunicorn."""
