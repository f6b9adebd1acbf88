"""What a reply of Redis means: an answer, somewhere else to ask, something to wait for, or an error of ours."""

from __future__ import annotations

from typing import Any, NamedTuple

import hiredis

from ...errors import StoreCorrupt, StoreDown, StoreFull
from .redis_admin import Node

AGAIN = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "BUSY")
ELSEWHERE = "non local key"
UNKNOWN_FUNCTION = "Function not found"


class Via(NamedTuple):
    """By what a call goes: the process that will serve it, and whether as an exception, for a slot that it does not hold yet."""

    run_id: bytes
    asking: bool = False


class Refused(NamedTuple):
    """An answer that says where else, or when, to try."""

    text: str


def judged(reply: Any) -> Any:
    """A reply as it is, or `Refused` where it must be tried again. Raises what no repetition helps against."""
    if not isinstance(reply, hiredis.ReplyError):
        return reply
    text = str(reply)
    if text.startswith(AGAIN) or ELSEWHERE in text or UNKNOWN_FUNCTION in text:
        return Refused(text)
    if text.startswith(("OOM", "MISCONF", "NOREPLICAS")):
        raise StoreFull(f"redis: {text}")
    if text.startswith(("NOAUTH", "NOPERM", "WRONGPASS")):
        raise StoreDown(f"redis: {text}", try_="twit context check")
    raise StoreCorrupt(f"redis: {text}")


def asked(text: str) -> Node:
    """The node that an ASK names."""
    host, _, port = text.split()[2].rpartition(":")
    return Node("", host, int(port))
