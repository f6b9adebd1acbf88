"""Parked events: those that failed so often that their group put them out of the way. To be looked at, and tried once more.

A retry appends the event anew and then takes it off the list: killed in between, it is merely tried twice, which handlers
stand, since they go by the present truth.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import NotFound
from ..core.model import Parked
from ..core.ports import Stores

LISTED_MAX = 10_000  # looked through for ids; more than that is no list but an outage
PAGE = 1_000


async def parked(stores: Stores, group: str | None, limit: int) -> list[Parked]:
    """The oldest parked events of a group, or of all."""
    found: list[Parked] = []
    while len(found) < limit:
        part = await stores.work.parked(group, found[-1].parked_id if found else 0, min(PAGE, limit - len(found)))
        found += part
        if len(part) < PAGE:
            break
    return found


async def chosen(stores: Stores, parked_ids: Sequence[int]) -> list[Parked]:
    """These parked events, in the order asked for. Raises `NotFound` for one that is not parked."""
    kept = {one.parked_id: one for one in await parked(stores, None, LISTED_MAX)}
    unknown = [parked_id for parked_id in parked_ids if parked_id not in kept]
    if unknown:
        what = f"no parked event {', '.join(map(str, unknown))}"
        raise NotFound(what, try_="twit ops events parked")
    return [kept[parked_id] for parked_id in parked_ids]


async def retry(stores: Stores, events: Sequence[Parked]) -> int:
    """Have them handled once more by whoever consumes; returns the last offset."""
    last = await stores.log.append([one.logged.event for one in events])
    await stores.work.unpark([one.parked_id for one in events])
    return last
