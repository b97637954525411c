"""How large the stored object may become, in bytes of all its values."""

OBJECT_LIMIT = 1_000_000  # the API server takes 1 MiB
OBJECT_AIM = 128_000  # up to which history may exceed MIN_HISTORY: every write sends the whole object
MIN_HISTORY = 32_000


def byte_count(text: str) -> int:
    """Return the bytes that a text takes in the stored object."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
