"""Pages of lists in which some things are not for this viewer: filled up, with an exact `has_more`.

Used for lists of people and for threads; home and user timelines have their own reading.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from .errors import Invalid

T = TypeVar("T")


class Filled(msgspec.Struct, Generic[T], frozen=True):
    """`last` is the key after which the next page starts; 0 where there is none."""

    found: tuple[T, ...]
    last: int
    has_more: bool


def checked_limit(limit: int, limit_max: int) -> int:
    """Return `limit`, which must lie in [1, limit_max]; else `Invalid`."""
    if not 1 <= limit <= limit_max:
        what = f"limit is {limit}"
        raise Invalid(what, field="limit", meaning=f"a page has 1 to {limit_max} entries")
    return limit


async def filled(
    fetch: Callable[[int, int], Awaitable[Sequence[T]]],
    keep: Callable[[Sequence[T]], Awaitable[Sequence[bool]]],
    key: Callable[[T], int],
    *,
    start: int,
    limit: int,
    scan_max: int,
) -> Filled[T]:
    """Return the next `limit` things that `keep` lets through, from `fetch(from key, how many)`, in its order.

    `has_more` says whether another page would hold something. After `scan_max` things looked at the page may be short;
    then `has_more` is true and `last` has moved on.
    """
    found: list[T] = []
    at, scanned = start, 0
    while scanned < scan_max:
        ask = min(limit + 1, scan_max - scanned)
        batch = await fetch(at, ask)
        for one, shown in zip(batch, await keep(batch), strict=True):
            if shown and len(found) == limit:
                return Filled(tuple(found), key(found[-1]), has_more=True)
            if shown:
                found.append(one)
        if len(batch) < ask:
            return Filled(tuple(found), 0, has_more=False)
        scanned += len(batch)
        at = key(batch[-1])
    return Filled(tuple(found), at, has_more=True)
