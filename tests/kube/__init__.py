"""Tests against a real API server, and what they need to have one."""
