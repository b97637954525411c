"""How much of an HTTP/1.1 request has arrived: all that can be known before the request is parsed.

The worker's loop looks here after every piece that a client sends, and has gunicorn's parser read the request once it
is whole. The parser alone decides what a request means and which one is wrong. One that makes no sense counts as whole,
so that the parser refuses it without waiting for more.
"""

import re

BODY_LIMIT = 64 * 1024  # bytes; no endpoint of either program needs more
LINE_LIMIT = 64 * 1024  # bytes of the request line: parameters that fit into a body fit there too
_HEAD_LIMIT = LINE_LIMIT + 32 * 1024
_CHUNKS_LIMIT = 2 * BODY_LIMIT  # sizes of chunks included

_END_OF_HEAD = re.compile(rb"\r\n\r\n|(?<!\r)\n")  # the parser refuses a bare line feed
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


class Arrival:
    """One request of a connection; `data` is what came of it, and maybe of those behind it.

    A request that is `too_large` is `whole` without its body. `expects_continue`: the client sends no body before it is
    told to.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray()
        self.whole = self.too_large = self.expects_continue = self.chunked = False
        self._head = self._end = 0  # where the head ends; where the body does, or the chunks that were looked at
        self.add(data)

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        seen = len(self.data)
        self.data += piece
        if not self._head:
            self._find_head(max(0, seen - 3))
        if not self._head:
            self.whole = len(self.data) > _HEAD_LIMIT
        elif not self.whole:
            self.whole = self.too_large or (self._chunks_end() if self.chunked else len(self.data) >= self._end)

    def _find_head(self, start: int) -> None:
        found = _END_OF_HEAD.search(self.data, start)
        if found is not None:
            self._head = self._end = found.end()
            self._find_framing(bytes(self.data[: self._head]).lower())

    def _find_framing(self, head: bytes) -> None:
        if b"\r\ncontent-length:" not in head and b"\r\ntransfer-encoding:" not in head:
            return
        fields = _FRAMING.findall(head)
        if len(fields) != 1:
            return
        name, value = fields[0]
        if name == b"transfer-encoding":
            self.chunked = value == b"chunked"
        elif value.isdigit():
            self.too_large = len(value) > 18 or int(value) > BODY_LIMIT
            self._end += 0 if self.too_large else int(value)
        self.expects_continue = b"\r\nexpect: 100-continue\r\n" in head and b" http/1.0\r\n" not in head

    def _chunks_end(self) -> bool:
        while self._end < len(self.data):
            size = _CHUNK_SIZE.match(self.data, self._end)
            if size is None:
                return self.data.find(b"\n", self._end) >= 0 or self._has_too_many_chunks()
            length = int(size[1], 16)
            if length == 0:
                return self.data.find(b"\r\n\r\n", size.end() - 2) >= 0 or self._has_too_many_chunks()
            self._end = size.end() + length + 2
        return self._has_too_many_chunks()

    def _has_too_many_chunks(self) -> bool:
        self.too_large = max(self._end, len(self.data)) - self._head > _CHUNKS_LIMIT
        return self.too_large
