"""Writes that fail while reads succeed: a file that became read-only, a full disk, a removed permission."""

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble

_RECENT = 30.0  # seconds after which a failed write no longer counts, so that the next one is tried first


class WriteFailures:
    """Distinguishes a transient failure (the write is retried) from a lasting one (its callers are refused)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._lasting: StoreTrouble | None = None
        self._lasting_at = 0.0

    @property
    def lasting(self) -> StoreTrouble | None:
        """Why the store rejects writes; None if it accepted the last one, or if none was tried recently."""
        return self._lasting if self._clock.monotonic() - self._lasting_at < _RECENT else None

    def note_failure(self, trouble: StoreTrouble) -> bool:
        """Count a failed write; return whether it is lasting: the second failure, with a successful read between."""
        self._in_a_row += 1
        if self._in_a_row == 1:
            return False
        self._lasting, self._lasting_at = trouble, self._clock.monotonic()
        return True

    def note_failed_read(self) -> None:
        """Restart the count: reads fail too, so the problem is not specific to writes."""
        self._in_a_row = 0

    def note_success(self) -> None:
        """Restart the count after a successful write."""
        self._in_a_row, self._lasting = 0, None
