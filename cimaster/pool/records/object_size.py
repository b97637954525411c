"""How large the stored object may become, in bytes of all its values."""

OBJECT_LIMIT = 1_000_000  # the API server takes 1 MiB
HISTORY_LIMIT = 150_000  # of changes that wait for the archive: about a day of them, if it cannot be written


def byte_count(text: str) -> int:
    """Return the bytes that a text takes in the stored object."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
