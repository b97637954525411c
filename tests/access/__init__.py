"""Tests of `auth = required`: credentials, roles and owners over the whole application."""
