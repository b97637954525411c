"""The operations of CIMaster: the only callers of the repository."""
