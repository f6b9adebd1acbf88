"""Parked events: those that failed so often that their group put them out of the way. To be looked at, and tried once more.

Handlers go by the present truth, so an event may be handled late, twice, or after its successors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import NotFound
from ..core.events import Parked
from ..core.ports import Stores
from .plan import Draft, Level, Plan, PlanFile, fingerprint
from .procedure import Difference, Downstream

if TYPE_CHECKING:
    from ..core.entries import Ids

LISTED_MAX = 10_000  # looked through for ids; more than that is no list but an outage
PAGE = 1_000


async def parked(stores: Stores, group: str | None, limit: int) -> list[Parked]:
    """The oldest parked events of a group, or of all."""
    names = (None,) if group is None else tuple(lane.name for lane in stores.lanes(group))
    found = [one for name in names for one in await _parked(stores, name, limit)]
    return sorted(found, key=lambda one: one.parked_id)[:limit]


async def _parked(stores: Stores, name: str | None, limit: int) -> list[Parked]:
    found: list[Parked] = []
    while len(found) < limit:
        part = await stores.work.parked(name, found[-1].parked_id if found else 0, min(PAGE, limit - len(found)))
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


class RetryParked:
    """`procedure.Procedure` over parked ids: each event is appended anew, for whoever consumes."""

    name, prefix, unit, batch = "events-retry", "er", "events", 100

    def __init__(self, stores: Stores, parked_ids: Sequence[int]) -> None:
        self._stores, self._parked_ids = stores, parked_ids

    async def plan(self, context: str, kept: PlanFile | None) -> Draft:
        asked = self._parked_ids if kept is None else kept.asked
        events = await chosen(self._stores, list(dict.fromkeys(asked)))
        items = np.array([one.parked_id for one in events], dtype=np.int64)
        kinds = Counter(f"{one.group} {one.logged.event.kind.value}" for one in events)
        plan = Plan(
            procedure=self.name, context=context, unit=self.unit, count=len(items),
            level=Level.MILD if len(items) == 1 else Level.MODERATE,
            facts=(("events", f"{len(items):,}"), ("of", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))),
            undo="not needed: handling an event twice changes nothing, and what fails again is parked again",
            fingerprint=fingerprint(self.name, context, {}, items, ""),
        )
        return Draft(plan=plan, items=items, asked=tuple(items.tolist()))

    async def apply(self, items: Ids) -> Mapping[str, int]:
        """Append, then take off the list: killed in between, the event is merely handled twice."""
        wanted = set(items.tolist())
        events = [one for one in await parked(self._stores, None, LISTED_MAX) if one.parked_id in wanted]
        await self._stores.log.append([one.logged.event for one in events])
        await self._stores.work.unpark([one.parked_id for one in events])
        return {"retried": len(events)}

    async def verify(self, items: Ids) -> Sequence[Difference]:
        wanted = set(items.tolist())
        left = [one for one in await parked(self._stores, None, LISTED_MAX) if one.parked_id in wanted]
        return [Difference(item=one.parked_id, cause="parked", detail=f"still parked: {one.error}") for one in left]

    async def downstream(self) -> Downstream:
        """The groups that will handle them: one of them may be stuck, which is why we are here."""
        return Downstream(name="nothing", lag_ms=None)
