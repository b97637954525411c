"""Compressed answers, for callers that accept them: the page of 1,000 clusters has 1.2 MB, and 40 kB compressed.

Only answers to reads are compressed. From the sizes of compressed answers an observer of the network could guess a
secret next to text of the observer's choice (the BREACH attack). Our reads are safe: no page holds a secret
such as a form token, no body repeats a cookie, and requests that another site's page makes carry no cookies (SameSite).
Answers to verbs hold a lease's id and stay uncompressed. A page that shows a secret beside the text of a filter must
not be compressed.
"""

from flask import Flask, Response, g, request
from flask_compress import Compress

_MIN_SIZE = 1024  # bytes; smaller answers fit into one packet anyway
_ALGORITHMS = ("zstd", "br", "gzip")
_TYPES = (
    "text/html",
    "text/plain",
    "text/css",
    "text/javascript",
    "text/csv",
    "application/json",
    "application/x-ndjson",
    "application/yaml",
    "image/svg+xml",
)


def install(app: Flask) -> None:
    """Have an application compress its answers to GET, with the caller's preferred one of zstd, br and gzip.

    The levels are the fast ones: for that page they take 5 % (zstd, br) or 20 % (gzip) of the time of rendering it, and
    higher ones up to half of it (measured). That is why compressed lists are not cached.
    """
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_ALGORITHM=list(_ALGORITHMS),
        COMPRESS_MIMETYPES=list(_TYPES),
        COMPRESS_MIN_SIZE=_MIN_SIZE,
        COMPRESS_STREAMS=False,
        COMPRESS_EVALUATE_CONDITIONAL_REQUEST=False,
        COMPRESS_LEVEL=3,
        COMPRESS_BR_LEVEL=1,
        COMPRESS_ZSTD_LEVEL=1,
    )
    compress = Compress(app)

    @app.after_request
    def finish(response: Response) -> Response:
        return _compressed(compress, response) if _is_compressible(response) else response


def _is_compressible(response: Response) -> bool:
    if response.status_code != 200 or (response.content_length or 0) < _MIN_SIZE or response.mimetype not in _TYPES:
        return False
    return request.method in ("GET", "HEAD") and not ("endpoint" in g and g.endpoint.changes)


def _compressed(compress: Compress, response: Response) -> Response:
    response.vary.add("Accept-Encoding")
    if not request.accept_encodings.best_match(_ALGORITHMS):  # Flask-Compress accepts q=0
        return response
    if request.endpoint != "static":
        return compress.after_request(response)
    response.make_sequence()
    # The compressed file has its own ETag, so it is compared with the browser's after compression.
    compress.after_request(response).make_conditional(request)
    return response
