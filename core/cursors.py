"""Opaque page cursors: which list, which version, the last id looked at, and a checksum against guesses and typos."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

from .errors import BadCursor

VERSION = 1
_BODY = struct.Struct(">BcQ")  # version, list, last id
_SUM = struct.Struct(">I")
_SIZE = _BODY.size + _SUM.size


def encode(kind: str, last_id: int) -> str:
    """Return the cursor after `last_id` (0 to 2^63 - 1) in lists of `kind` (one letter)."""
    body = _BODY.pack(VERSION, kind.encode("ascii"), last_id)
    return base64.urlsafe_b64encode(body + _SUM.pack(zlib.crc32(body))).decode("ascii").rstrip("=")


def decode(kind: str, cursor: str) -> int:
    """Return the last id of a cursor made by `encode` for the same kind; 0 for "". Raises `BadCursor`."""
    if not cursor:
        return 0
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad("it is not one of ours") from None
    if len(raw) != _SIZE or _SUM.unpack(raw[_BODY.size :])[0] != zlib.crc32(raw[: _BODY.size]):
        raise _bad("it is not one of ours")
    version, made_for, last_id = _BODY.unpack(raw[: _BODY.size])
    if version != VERSION:
        raise _bad(f"it has version {version}, we read {VERSION}")
    if made_for != kind.encode("ascii"):
        raise _bad("it belongs to another list")
    if not 0 < last_id < 1 << 63:
        raise _bad("it is not one of ours")
    return int(last_id)


def _bad(why: str) -> BadCursor:
    return BadCursor(f"bad cursor: {why}", field="cursor", try_="leave the cursor out to start at the first page")
