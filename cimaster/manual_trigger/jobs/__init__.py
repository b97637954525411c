"""What a job of Prow is and what its ProwJob looks like, decided without I/O."""
