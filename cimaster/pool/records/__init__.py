"""The records of the pool as they are stored, and how they are read and written."""
