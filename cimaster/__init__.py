"""CIMaster lends a pool of shared CI test clusters to jobs and to people."""
