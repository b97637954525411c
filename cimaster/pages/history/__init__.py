"""The page about the history of all clusters."""
