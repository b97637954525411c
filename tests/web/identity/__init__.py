"""The sources of identity, each by itself."""
