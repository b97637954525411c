"""What CIMaster and manual-trigger share; it knows neither of them."""
