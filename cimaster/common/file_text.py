"""The text of files that people write: UTF-8 or UTF-16, as Windows saves it too, with or without a byte order mark."""

import json


def decoded(data: bytes) -> str:
    """Return the text of a file without its byte order mark; ValueError says where it is none."""
    encoding = json.detect_encoding(data)  # by the mark, else by where the first characters have their zeros
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:  # its own words would repeat what is in the file
        name = encoding.removesuffix("-sig").upper()
        raise ValueError(f"byte {error.start} is not {name}: save it as UTF-8") from None
