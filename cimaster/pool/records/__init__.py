"""What is stored: the records of the pool, and how they are read and written."""
