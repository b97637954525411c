"""The client of CIMaster: it talks HTTP, and imports nothing of the server."""
