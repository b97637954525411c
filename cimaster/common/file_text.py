"""Decodes files that people write: UTF-8 or UTF-16, as Windows saves it, with or without a byte order mark."""

import json


def decoded(data: bytes) -> str:
    """Return the text of a file without its byte order mark; raise ValueError that names the first wrong byte."""
    encoding = json.detect_encoding(data)  # by the mark, or by the zero bytes of the first characters
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:  # its message would repeat content of the file
        name = encoding.removesuffix("-sig").upper()
        raise ValueError(f"byte {error.start} is not {name}: save it as UTF-8") from None
