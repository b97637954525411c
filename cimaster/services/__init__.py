"""What CIMaster does: the only callers of the repository."""
