"""A ConfigMap in the API server's own encoding, Protocol Buffers.

A write takes the server half as long as in JSON, where every quote in the stored records is escaped (measured: 3 ms
against 6 ms at 180 kB). Only the fields that a write changes are decoded. Everything else keeps its bytes, so a few
rules of the encoding suffice, and no generated code is needed.

Source: protobuf.dev/programming-guides/encoding; generated.proto of k8s.io/api/core/v1 (ConfigMap) and of
k8s.io/apimachinery/pkg/apis/meta/v1 (ObjectMeta, Status) and pkg/runtime (Unknown).
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_ENVELOPE = _MAGIC + b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap"  # Unknown.typeMeta: apiVersion and kind
_RAW = 2  # Unknown
_METADATA, _DATA, _BINARY_DATA, _IMMUTABLE = 1, 2, 3, 4  # ConfigMap
_NAME, _UID, _VERSION, _LABELS, _ANNOTATIONS, _MANAGED_FIELDS = 1, 5, 6, 11, 12, 17  # ObjectMeta
_MESSAGE = 3  # Status


class Field(NamedTuple):
    """One field of a message: its number, its value (bytes or a number), and the encoding of both."""

    number: int
    value: bytes | int
    written: bytes

    @property
    def content(self) -> bytes:
        """The bytes of a length-delimited field; ValueError for a number, which the schema does not allow here."""
        if isinstance(self.value, int):
            raise ValueError(f"field {self.number} is a number")  # noqa: TRY004 it is the message that is wrong
        return self.value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(message: bytes) -> Iterator[Field]:
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value: bytes | int
            value, at = _varint(message, at)
        elif kind in (1, 2, 5):
            length, at = _varint(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind} at byte {start}")
        if at > len(message):
            raise ValueError(f"the message ends within the field at byte {start}")
        yield Field(number, value, message[start:at])


def fields(message: bytes) -> list[Field]:
    """Split a message into its fields; ValueError if it is damaged."""
    try:
        return list(_fields(message))
    except IndexError:
        raise ValueError("the message ends within a number") from None


def field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field: bytes, a text or a message."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))


def _texts(number: int, mapping: Mapping[str, str]) -> Iterator[bytes]:
    for key, text in mapping.items():
        yield field(number, field(1, key.encode("utf-8", "replace")) + field(2, text.encode("utf-8", "replace")))


def _binaries(number: int, mapping: Mapping[str, bytes]) -> Iterator[bytes]:
    for key, value in mapping.items():
        yield field(number, field(1, key.encode("utf-8", "replace")) + field(2, value))


def _content(parts: Iterable[Field], number: int) -> bytes:
    """Return the value of a non-repeated field: the last occurrence counts, and a missing field is empty."""
    return next((part.content for part in reversed(list(parts)) if part.number == number), b"")


def _mapping(parts: Iterable[Field], number: int, read: Callable[[bytes], str]) -> dict[str, str]:
    entries = (fields(part.content) for part in parts if part.number == number)
    return {_text(_content(entry, 1)): read(_content(entry, 2)) for entry in entries}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def raw(answer: bytes) -> bytes:
    """Return the message in an answer of the API server; ValueError if it is not in this encoding."""
    if not answer.startswith(_MAGIC):
        raise ValueError("the answer is not in Kubernetes' protobuf encoding")
    return _content(fields(answer[len(_MAGIC) :]), _RAW)


def read(message: bytes) -> dict[str, Any]:
    """Return a ConfigMap in its JSON form, without fields that CIMaster does not need; ValueError if it is damaged."""
    parts = fields(message)
    about = fields(_content(parts, _METADATA))
    metadata = {
        "name": _text(_content(about, _NAME)),
        "uid": _text(_content(about, _UID)),
        "resourceVersion": _text(_content(about, _VERSION)),
        "labels": _mapping(about, _LABELS, _text),
        "annotations": _mapping(about, _ANNOTATIONS, _text),
    }
    binary = _mapping(parts, _BINARY_DATA, _base64)
    immutable = any(part.number == _IMMUTABLE and part.value for part in parts)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": _mapping(parts, _DATA, _text),
        **({"binaryData": binary} if binary else {}),
        **({"immutable": True} if immutable else {}),
    }


def replaced(
    message: bytes,
    data: Mapping[str, str],
    annotations: Mapping[str, str],
    version: str,
    binary: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the body of a PUT: the message with other data, annotations and (unless None) binary data.

    It is based on a version. `managedFields` are left out, so that the API server keeps them.
    """
    parts = fields(message)
    about = fields(_content(parts, _METADATA))
    kept = [part.written for part in about if part.number not in (_VERSION, _ANNOTATIONS, _MANAGED_FIELDS)]
    metadata = b"".join([*kept, field(_VERSION, version.encode()), *_texts(_ANNOTATIONS, annotations)])
    changed = (_METADATA, _DATA) if binary is None else (_METADATA, _DATA, _BINARY_DATA)
    rest = [part.written for part in parts if part.number not in changed]
    body = b"".join([field(_METADATA, metadata), *_texts(_DATA, data), *_binaries(_BINARY_DATA, binary or {}), *rest])
    return _ENVELOPE + field(_RAW, body)


def message_of(answer: bytes) -> str:
    """Return the message of a Status, the API server's refusal of a call; ValueError if it is something else."""
    return _text(_content(fields(raw(answer)), _MESSAGE))
