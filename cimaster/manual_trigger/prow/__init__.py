"""Prow itself: its configuration and the ProwJobs of a namespace."""
