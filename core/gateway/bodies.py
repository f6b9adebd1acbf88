"""Reading request bodies: bounded, JSON only, and every way of being wrong told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from ..errors import Invalid, Unauthorized
from .exchange import Receive
from .problems import BodyTooLarge, Malformed, UnsupportedMedia

T = TypeVar("T")
_FIELD = re.compile(r"`\$\.?([^`]*)`$|unknown field `([^`]*)`|required field `([^`]*)`")


class Disconnected(Exception):
    """The client went away in the middle of its body: nobody is left to answer."""


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], bytes_max: int) -> bytes:
    """Return the whole body. `BodyTooLarge` as soon as that is known, `UnsupportedMedia` for a body that is not JSON."""
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit():
        raise Malformed("Content-Length is not a number")
    if len(declared) > 18 or int(declared) > bytes_max:
        raise _too_large(bytes_max)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        chunks.append(chunk)
        more = message.get("more_body", False)
    if size and not _is_json(headers.get(b"content-type", b"")):
        raise UnsupportedMedia("the body must be application/json", try_="send Content-Type: application/json")
    return b"".join(chunks)


def parse(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `body` says. `Malformed` where it is no JSON, `Invalid` where it is other JSON than asked for."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(f"the body does not fit: {error}", field=_field_of(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("the body is not valid JSON") from None


def bearer_token(headers: Mapping[bytes, bytes]) -> str:
    """Return the token of `Authorization: Bearer …`, "" without the header. `Unauthorized` for any other scheme."""
    raw = headers.get(b"authorization")
    if raw is None:
        return ""
    scheme, _, token = raw.partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token or len(token) > 256 or not token.isascii():
        raise Unauthorized("the Authorization header is not a bearer token", try_="send Authorization: Bearer <token>")
    return token.decode("ascii")


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def _too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {bytes_max} bytes")


def _field_of(message: str) -> str:
    found = _FIELD.search(message)
    return next((group for group in found.groups() if group), "") if found else ""
