"""What a live process follows to keep its caches true: its own writes at once, everybody else's as Kafka shows them.

Offsets are of this process alone, from 1 on since it started. Only the last events are kept: a follower that is further behind
sees by `tail` how far, and forgets everything instead. What one process wrote comes in order here; of two processes' writes to
one like or tweet the older may come later, and is left out then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from ...events import Event, EventKind, GroupLag, LoggedEvent
from ...log_ports import Lane
from .kafka_lanes import encode
from .kafka_producer import Outbound, Producer
from .kafka_tail import Seen
from .kafka_topics import Topics

KEPT_MAX = 16_384  # more than `coherence.BEHIND_MAX` and what is read at once
SUBJECTS_MAX = 16_384
FOR_EVER = 1 << 62
_LIKES = frozenset((EventKind.LIKED, EventKind.UNLIKED))


class Journal:
    """`ports.EventLog` of one process. `by` is its mark on what it sent: that it has shown to itself already."""

    def __init__(self, topics: Topics, producer: Producer, by: bytes) -> None:
        self.by = by
        self.lanes: Callable[[str], Sequence[Lane]] = lambda _: ()
        self.settled: Callable[[], Awaitable[None]] = _nothing
        self._topics = topics
        self._producer = producer
        self._last = 0
        self._kept: deque[LoggedEvent] = deque(maxlen=KEPT_MAX)
        self._newest: dict[tuple[int, int], int] = {}  # by (actor, tweet), or (0, tweet): the time of what came last
        self._waiting: list[asyncio.Future[None]] = []

    def echo(self, events: Sequence[Event]) -> None:
        """Show these now."""
        for event in events:
            if not self._is_late(event):
                self._last += 1
                self._kept.append(LoggedEvent(self._last, event))
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def arrived(self, batch: Sequence[Seen]) -> None:
        """Show what Kafka has, less what this process sent itself."""
        self.echo([seen.event for seen in batch if seen.event is not None and seen.by != self.by])

    def moved(self, after: int) -> bool:
        return self._last > after

    def turn(self) -> int:
        return 0

    async def append(self, events: Sequence[Event]) -> int:
        """As elsewhere; where it raises, the events may be there all the same, and are shown."""
        if events:
            try:
                await self._producer.send([Outbound(*self._topics.place(event), encode(event), self.by) for event in events])
            finally:
                self.echo(events)
        return self._last

    async def read(self, after: int, limit: int) -> list[LoggedEvent]:
        """The oldest that are kept, where `after` is further back."""
        start = max(0, after - (self._last - len(self._kept)))
        return [self._kept[at] for at in range(start, min(start + limit, len(self._kept)))]

    async def tail(self) -> int:
        return self._last

    async def caught_up(self) -> None:
        await self.settled()

    async def offset(self, name: str) -> int:
        """Of all lanes of the group together; not to be compared with offsets here."""
        return sum([await lane.log.offset(lane.name) for lane in self.lanes(name)])

    async def wait(self, after: int, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self._last <= after:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        except TimeoutError:
            self._waiting = [future for future in self._waiting if not future.done()]
            return False
        return True

    async def lag(self, names: Sequence[str], now_ms: int) -> list[GroupLag]:
        return [await self._lag(name, now_ms) for name in names]

    async def trim(self, before_ms: int, names: Sequence[str]) -> int:
        lanes = [lane for name in names for lane in self.lanes(name)]
        return sum(await asyncio.gather(*(lane.log.trim(before_ms, (lane.name,)) for lane in lanes)))

    async def _lag(self, group: str, now_ms: int) -> GroupLag:
        found = await asyncio.gather(*(lane.log.lag((lane.name,), now_ms) for lane in self.lanes(group)))
        lags = [one for (one,) in found]
        return GroupLag(
            group=group, offset=sum(one.offset for one in lags), tail=sum(one.tail for one in lags),
            events=sum(one.events for one in lags), work=sum(one.work for one in lags), parked=sum(one.parked for one in lags),
            lag_ms=max((one.lag_ms for one in lags), default=0),
            owner=", ".join(dict.fromkeys(one.owner for one in lags if one.owner)),
        )  # fmt: skip

    def _is_late(self, event: Event) -> bool:
        """Whether something newer of the same like or tweet was shown before."""
        kind = event.kind
        if kind in _LIKES:
            subject, at = (event.actor, event.tweet), event.at_ms
        elif kind is EventKind.TWEET_DELETED:
            subject, at = (0, event.tweet), FOR_EVER
        elif kind is EventKind.TWEET_CREATED:
            return (0, event.tweet) in self._newest
        else:
            return False
        newest = self._newest
        if newest.get(subject, 0) > at:
            return True
        newest[subject] = at
        if len(newest) > SUBJECTS_MAX:
            del newest[next(iter(newest))]
        return False


async def _nothing() -> None:
    """Nothing is on its way before the journal is opened."""
