"""What CIMaster and manual-trigger share; it imports neither of them."""
