"""Tests against a real API server, and the programs that run one."""
