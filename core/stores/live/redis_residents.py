"""Who has a live row, in order of id, over all slots of a cluster. A cold path: a page asks every slot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .redis_calls import Calls, parts
from .redis_cluster import Cluster
from .redis_replies import Via
from .redis_slots import SLOTS, tags
from .redis_wire import Command

if TYPE_CHECKING:
    from ...entries import Ids

INDEXES = 256  # slots whose readers one call lists


async def residents(cluster: Cluster, calls_of: Calls, after: int, limit: int, now_ms: int) -> Ids:
    """At most `limit` readers above `after`; fewer only at the end."""
    found: list[int] = []
    while len(found) < limit:
        some, after = await _residents(cluster, calls_of, after, limit - len(found), now_ms)
        found += some
        if not after:
            break
    return np.array(found[:limit], np.int64)


async def _residents(cluster: Cluster, calls_of: Calls, after: int, limit: int, now_ms: int) -> tuple[list[int], int]:
    """Live readers above `after` in order of id as far as all slots told theirs, and how far that is; 0: to the end."""
    most = limit // SLOTS * 2 + 2
    heads, slots = calls_of.head("residents", now_ms), np.arange(SLOTS)
    found: list[int] = []
    horizons: list[int] = []
    more = (calls_of.keys.namespace, calls_of.keys.letter, after, most)

    def calls(_: Via, part: list[int]) -> Iterator[tuple[list[int], Command]]:
        for some in parts(part, INDEXES):
            yield some, (*heads, *more, *[tags()[slot] for slot in some])

    def take(part: list[int], reply: list[list[int]]) -> list[int]:
        for last, *readers in reply:
            if last > 0:
                horizons.append(last)
            found.extend(readers)
        return [slot for slot, (last, *_) in zip(part, reply, strict=True) if last < 0]

    keys = [b"%b:r:{%b}" % (calls_of.keys.namespace, tag) for tag in tags()]
    await cluster.spread(keys, slots, calls, take)
    end = min(horizons, default=0)
    return sorted(reader for reader in found if not end or reader <= end), end
