"""The manual-trigger service: starts jobs of Prow on request, as Prow itself would, and returns links to them.

It is a separate program with its own Kubernetes permissions: it may create ProwJobs, and CIMaster may not.
"""
