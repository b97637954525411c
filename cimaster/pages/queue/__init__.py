"""The pages about the queue."""
