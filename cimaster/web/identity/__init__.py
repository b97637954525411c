"""Identity: the credentials that a request may carry, and the roles of its caller."""
