"""The manual-trigger service: starts a job of Prow when it is asked to, as Prow itself would, and says where it runs.

A program of its own beside CIMaster, with rights of its own: it may create ProwJobs, and CIMaster may not.
"""
