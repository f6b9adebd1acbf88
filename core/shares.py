"""How many of a group's lanes this process runs: a fair share among the processes that are alive.

Leases decide who runs a lane; this only says how many to ask for, and which to give back when others have joined. Members
are counted by leases too, so one that was killed is no member any more as soon as its leases are gone.
"""

from __future__ import annotations

import asyncio
import logging

from .errors import StoreError
from .log_ports import Lease, Leases

LOOK_S = 0.5  # between two tries to get a lane
COUNT_S = 1.0  # between two counts of the members: with the above, how soon a dead one's lanes are taken over

log = logging.getLogger(__name__)


class Share:
    """Of one group in this process. `most` is how many lanes it may run; a group of one lane needs no counting."""

    def __init__(self, leases: Leases, group: str, holder: str, lanes: int) -> None:
        self.most = 1 if lanes == 1 else 0
        self._leases = leases
        self._group = group
        self._holder = holder
        self._lanes = lanes
        self._running: list[str] = []  # lanes, the one that was begun last at the end

    def begin(self, lane: str) -> bool:
        """Note a lane as this process's own, if there is room for one more."""
        if len(self._running) >= self.most:
            return False
        self._running.append(lane)
        return True

    def end(self, lane: str) -> None:
        """It is not run here any more."""
        self._running.remove(lane)

    def surplus(self, lane: str) -> bool:
        """Whether this lane is to be given back, since others want their share: the last ones begun go first."""
        return len(self._running) > self.most and lane in self._running[self.most :]

    async def keep(self, stop: asyncio.Event) -> None:
        """Be a member until `stop`, and count the others. More processes than lanes: those who came last wait in reserve."""
        if self._lanes == 1:
            return
        member: Lease | None = None
        try:
            while not stop.is_set():
                try:
                    if member is None or member.lost:
                        member = await self._join()
                    members = await self._members()
                    self.most = 0 if member is None else -(-self._lanes // max(1, members))
                except StoreError as error:
                    log.warning("%s: members cannot be counted: %s", self._group, error)
                await pause(stop, COUNT_S)
        finally:
            if member is not None:
                member.release()

    async def _join(self) -> Lease | None:
        for number in range(self._lanes):
            lease = await self._leases.acquire(self._place(number), self._holder)
            if lease is not None:
                return lease
        return None

    async def _members(self) -> int:
        return sum(map(bool, await asyncio.gather(*(self._leases.holder(self._place(number)) for number in range(self._lanes)))))

    def _place(self, number: int) -> str:
        return f"member.{self._group}.{number}"


async def pause(stop: asyncio.Event, seconds: float = LOOK_S) -> None:
    """Wait for the next look, or for the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
