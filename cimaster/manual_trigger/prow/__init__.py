"""Access to Prow: its configuration, and the ProwJobs of a namespace."""
