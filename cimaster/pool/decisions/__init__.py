"""The decisions of the service, as pure functions of the pool and the time."""
