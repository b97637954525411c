"""Finds out, without parsing it, whether an HTTP/1.1 request has arrived completely.

The worker adds every piece that a client sends, and gives the request to gunicorn's parser once it is complete. Only
the parser decides what a request means and whether it is valid. A malformed request counts as complete, so that the
parser refuses it without waiting for more.
"""

import hashlib
import re

BODY_LIMIT = 64 * 1024  # bytes; no endpoint of either program needs more
LINE_LIMIT = 64 * 1024  # bytes of the request line: parameters that fit into a body fit there too
_HEAD_LIMIT = LINE_LIMIT + 32 * 1024
_CHUNKS_LIMIT = 2 * BODY_LIMIT  # sizes of chunks included

_PATH = re.compile(rb"[A-Z]+ (/[^ ?/]*(?:/[^ ?/]*)?)")
_URGENT = re.compile(rb"(?:GET|POST) /(?:[^ ?]*/)?(?:finishtest|releasecluster|renewlease)[ ?]")
_VERB = rb"(?:[a-z]+(?:vacant|test|lease|cluster|creation|policy|purpose)|leavequeue)"
_CHANGE = re.compile(rb"POST |GET /(?:[^ ?]*/)?" + _VERB + rb"[ ?]")
_TAKE = re.compile(rb"(?:GET|POST) /(?:[^ ?]*/)?getvacant[ ?]")
_TRIGGER = re.compile(rb"(?:GET|POST) /(?:[^ ?]*/)?(?:createcluster|manual-trigger)[ ?]")
_FORWARDED_FOR = re.compile(rb"\r\nx-forwarded-for:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CREDENTIAL = re.compile(rb"\r\n((?:authorization|cookie):[^\r\n]*)", re.IGNORECASE)
_END_OF_HEAD = re.compile(rb"\r\n\r\n|(?<!\r)\n")  # a bare line feed is malformed
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):([^\r\n]*)(?=\r\n)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


class RequestArrival:
    """One request while it arrives; `data` are its bytes so far, maybe followed by bytes of the next requests.

    A request that is `too_large` is `complete` without its body. `expects_continue`: the client waits for the response
    100 before it sends the body.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray()
        self.complete = self.too_large = self.expects_continue = self.chunked = False
        self._head = self._end = 0  # where the head ends; where the body ends, or the chunks seen so far
        self.add(data)

    @property
    def path(self) -> bytes:
        """The first two segments of the path."""
        found = _PATH.match(self.data)
        return found[1] if found else b""

    @property
    def is_urgent(self) -> bool:
        """Whether the request gives a cluster back or keeps one: then it must not wait for others."""
        return _URGENT.match(self.data) is not None

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing, as its first line suggests."""
        return _CHANGE.match(self.data) is None

    @property
    def may_wait(self) -> bool:
        """Whether the request may wait for a cluster or for another service."""
        if _TAKE.match(self.data):
            return b"wait" in self.data
        return _TRIGGER.match(self.data) is not None

    @property
    def forwarded_for(self) -> str:
        """The value of X-Forwarded-For."""
        return ",".join(value.decode("latin-1") for value in _FORWARDED_FOR.findall(self.data, 0, self._head))

    @property
    def credential(self) -> bytes:
        """The digest of what may tell who sent the request: Authorization and Cookie; empty without them."""
        fields = _CREDENTIAL.findall(self.data, 0, self._head)
        return hashlib.sha256(b"\n".join(fields)).digest() if fields else b""

    def add(self, piece: bytes) -> None:
        """Add the next piece."""
        seen = len(self.data)
        self.data += piece
        if not self._head:
            self._find_end_of_head(max(0, seen - 3))
        if not self._head:
            self.complete = len(self.data) > _HEAD_LIMIT
        elif not self.complete:
            self.complete = self.too_large or (
                self._chunks_are_complete() if self.chunked else len(self.data) >= self._end
            )

    def _find_end_of_head(self, start: int) -> None:
        found = _END_OF_HEAD.search(self.data, start)
        if found is not None:
            self._head = self._end = found.end()
            self._read_framing(bytes(self.data[: self._head]).lower())

    def _read_framing(self, head: bytes) -> None:
        if b"\r\ncontent-length:" not in head and b"\r\ntransfer-encoding:" not in head:
            return
        fields = _FRAMING.findall(head)
        if len(fields) != 1:
            return
        name, value = fields[0][0], fields[0][1].strip(b" \t")
        if name == b"transfer-encoding":
            self.chunked = value == b"chunked"
        elif value.isdigit():
            self.too_large = len(value) > 18 or int(value) > BODY_LIMIT
            self._end += 0 if self.too_large else int(value)
        self.expects_continue = b"\r\nexpect: 100-continue\r\n" in head and b" http/1.0\r\n" not in head

    def _chunks_are_complete(self) -> bool:
        while self.data.find(b"\n", self._end) >= 0:  # a line that grows must not be matched again at each piece
            size = _CHUNK_SIZE.match(self.data, self._end)
            if size is None:
                return True
            length = int(size[1], 16)
            if length == 0:
                return self.data.find(b"\r\n\r\n", size.end() - 2) >= 0 or self._has_too_many_chunks()
            self._end = size.end() + length + 2
        return self._has_too_many_chunks()

    def _has_too_many_chunks(self) -> bool:
        self.too_large = max(self._end, len(self.data)) - self._head > _CHUNKS_LIMIT
        return self.too_large
