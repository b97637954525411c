"""What the service decides, as pure functions of the pool and the time."""
