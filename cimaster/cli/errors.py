"""What can go wrong for a client, and the exit status that each error has."""

DONE, REFUSED, USAGE, UNREACHABLE, NONE_VACANT = range(5)


class ClientError(Exception):
    """A request that did not succeed; the message says why."""

    exit_status = REFUSED


class Unreachable(ClientError):
    """The service could not be reached, or could not reach its store, for as long as the client tried."""

    exit_status = UNREACHABLE


class Refused(ClientError):
    """The service refused the request.

    `code` is the stable code of docs/api.md, `status` the HTTP status. `retry_after` is in seconds, None if not given.
    A caller in the queue gets its `place`, and the `expected_wait` in seconds, None if that is unknown.
    """

    def __init__(
        self,
        detail: str,
        code: str,
        status: int,
        retry_after: float | None = None,
        place: str = "",
        expected_wait: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.place = place
        self.expected_wait = expected_wait
        self.exit_status = NONE_VACANT if code == "no_vacant_cluster" else USAGE if status == 400 else REFUSED

    @property
    def passes(self) -> bool:
        """Say whether the same request may succeed later: the service, its store or a proxy is in trouble."""
        if self.code == "creation_failed" or self.code.startswith("provisioner_"):
            return False
        limited_by_proxy = self.status == 429 and not self.code
        return limited_by_proxy or self.status in (408, 500, 502, 503, 504)

    @property
    def ends_lease(self) -> bool:
        """Say whether it means that the caller no longer has its cluster."""
        return self.code in ("lease_over", "not_current", "unknown_cluster")
