"""Errors as `application/problem+json` (RFC 9457), and the refusals that only HTTP knows.

What a client reads comes from the error's own words; an exception that is not ours says nothing but its request id.
"""

from __future__ import annotations

import msgspec

from ..errors import Overloaded, RateLimited, Refused, StoreError, TwitError, Unauthorized
from .exchange import PROBLEM, Answer, Header

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Malformed(Refused):
    """Bytes that are not the JSON, or not the header, that they claim to be."""

    code = "MALFORMED"
    http_status = 400


class NoRoute(Refused):
    """Nothing is served at this path."""

    code = "NO_ROUTE"
    http_status = 404


class MethodNotAllowed(Refused):
    """The path is served, by other methods: `allow` names them."""

    code = "METHOD_NOT_ALLOWED"
    http_status = 405

    def __init__(self, what: str, *, allow: str) -> None:
        super().__init__(what, try_=f"one of {allow}")
        self.allow = allow


class BodyTooLarge(Refused):
    """More than `body_bytes_max`."""

    code = "BODY_TOO_LARGE"
    http_status = 413


class UnsupportedMedia(Refused):
    """A body that is not JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415


class DeadlinePassed(TwitError):
    """The answer took longer than `request_deadline_ms`; a write may or may not stand."""

    code = "DEADLINE"
    http_status = 503
    exit_code = 5
    retry_after_s = 1


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode


def answer_of(error: TwitError, request_id: str) -> Answer:
    """Return the problem that tells of one of our errors."""
    field = getattr(error, "field", "")
    return _answer(Problem(
        type="urn:twit:problem:" + error.code.lower().replace("_", "-"),
        title=TITLES.get(error.http_status, "Error"),
        status=error.http_status,
        detail=_detail(error),
        code=error.code,
        request_id=request_id,
        field=field or msgspec.UNSET,
    ), _headers(error))  # fmt: skip


def bug(request_id: str) -> Answer:
    """Return the problem for an exception that is not ours; what it was is in the log under this id."""
    detail = "a bug in the server; its log has it under this request_id"
    return _answer(Problem("urn:twit:problem:bug", TITLES[500], 500, detail, "BUG", request_id))


def _answer(problem: Problem, headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(problem.status, _encode(problem), PROBLEM, headers)


def _detail(error: TwitError) -> str:
    """What happened, and what to do; what a store says of its files and hosts stays inside."""
    if isinstance(error, StoreError):
        return "a store did not carry the request"
    return ". ".join(part for part in (str(error), error.meaning, error.try_) if part)


def _headers(error: TwitError) -> tuple[Header, ...]:
    if isinstance(error, RateLimited):
        return (
            (b"retry-after", b"%d" % error.retry_after_s),
            (b"x-ratelimit-limit", b"%d" % error.limit),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", b"%d" % error.reset_s),
        )
    if isinstance(error, (StoreError, Overloaded, DeadlinePassed)):
        return ((b"retry-after", b"%d" % error.retry_after_s),)
    if isinstance(error, Unauthorized):
        return ((b"www-authenticate", b'Bearer realm="twit"'),)
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", error.allow.encode("ascii")),)
    return ()
