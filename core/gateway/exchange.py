"""One request and its answer, as handlers see them: no socket, no framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ..errors import BadCursor, Invalid, NotFound
from ..ids import MAX_ID
from ..limits import Limits

Header: TypeAlias = tuple[bytes, bytes]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
T = TypeVar("T")

JSON = b"application/json"
PROBLEM = b"application/problem+json"
API_TWEETS = b"/api/v1/tweets/"
QUERY_BYTES_MAX = 4_096
QUERY_FIELDS_MAX = 16
_ID_DIGITS_MAX = 19


class Answer(msgspec.Struct, gc=False):
    """What goes back, before the headers that every answer gets."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[Header, ...] = ()


class Call(msgspec.Struct, gc=False):
    """One request. When a handler sees it, its viewer is known (0: nobody) and its body is read.

    `in_step`: the process's caches knew everything that was durable when it came in.
    """

    request_id: str
    params: Mapping[str, str]
    query: bytes
    headers: Mapping[bytes, bytes]
    address: str
    limits: Limits
    viewer: int = 0
    token: str = ""
    in_step: bool = False
    body: bytes = b""

    def path_id(self) -> int:
        """Return the id in the path. One that cannot be an id is of nothing: `NotFound`."""
        return id_in(self.params["id"])

    def page(self) -> tuple[str, int]:
        """Return cursor and limit of a page. `Invalid` for a limit that is no whole number from 1 to the maximum."""
        limits = self.limits
        if not self.query:
            return "", limits.timeline_page_default
        fields = self._fields()
        cursor = fields.get("cursor", "")
        if len(cursor) > limits.cursor_chars_max:
            raise BadCursor("bad cursor: it is not one of ours", field="cursor", try_="leave it out to start at the first page")
        raw = fields.get("limit", "")
        if not raw:
            return cursor, limits.timeline_page_default
        limit = int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= _ID_DIGITS_MAX else 0
        if not 1 <= limit <= limits.timeline_page_max:
            what = f"limit must be a whole number from 1 to {limits.timeline_page_max}"
            raise Invalid(what, field="limit")
        return cursor, limit

    def idempotency_key(self) -> str:
        """Return the Idempotency-Key header, "" without one."""
        raw = self.headers.get(b"idempotency-key")
        if raw is None:
            return ""
        key = raw.decode("latin-1")
        if not (key.isascii() and key.isprintable() and 1 <= len(key) <= self.limits.idempotency_key_chars_max):
            what = f"Idempotency-Key must be 1 to {self.limits.idempotency_key_chars_max} printable ASCII characters"
            raise Invalid(what, field="Idempotency-Key")
        return key

    def _fields(self) -> dict[str, str]:
        if len(self.query) > QUERY_BYTES_MAX:
            raise Invalid("the query string is too long", field="query")
        try:
            return dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX))
        except ValueError:
            raise Invalid("the query string has too many fields", field="query") from None


def id_in(text: str) -> int:
    """Return the id that `text` states in decimal; `NotFound` where it cannot be one."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS_MAX else 0
    if not 0 < number <= MAX_ID:
        raise NotFound("no such id")
    return number
