"""Background threads, and how they start and stop."""
