"""The event consumers of a process: which groups there are, who runs their lanes, and running them until told to stop.

One process runs a lane at a time, by a lease that dies with it. A consumer's failure is logged, shown and retried; it never
ends in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from .caches import Caches
from .carrier import Carrier
from .clock import Clock
from .consumer import Consumer, Handler
from .departures import delete_expired
from .entropy import Chance
from .errors import StoreError
from .fanout import Fanout
from .limits import Limits
from .log_ports import Lease
from .ports import Stores
from .shares import Share, pause

GROUPS = ("social", "fanout")
WAIT_S = 1.0  # one wait for events; also how soon a stop is noticed at the latest
HOUSE_EVERY_MS = 60_000  # little at a time
OWN_EVENTS_MAX = 10_000  # of one command: more than that is not a command but a backlog

log = logging.getLogger(__name__)


class Moment(NamedTuple):
    """Where the log and every lane ended, as of some moment."""

    end: int
    lanes: Mapping[str, int]


class Workers:
    """Consumers over one world's stores: for each lane one, with a handler of its own."""

    def __init__(  # noqa: PLR0917 - what consumers need, in the order in which wiring makes it
        self, stores: Stores, limits: Limits, clock: Clock, chance: Chance, caches: Caches, name: str
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._name = name
        self._house_at_ms = 0
        self._fanouts = [Fanout(stores, limits, clock, caches) for _ in stores.lanes("fanout")]
        carriers = [Carrier(stores, limits, clock, caches, carried=self._carried) for _ in stores.lanes("social")]
        handlers: dict[str, Sequence[Handler]] = {"social": carriers, "fanout": self._fanouts}
        self._consumers = {
            group: [
                Consumer(lane, limits, clock, chance, handler)
                for lane, handler in zip(stores.lanes(group), handlers[group], strict=True)
            ]
            for group in GROUPS
        }
        self._states: dict[str, str] = {}  # by lane

    def deliveries(self) -> Mapping[str, int]:
        """Entries fanned out by this process since it started, by outcome."""
        totals: Counter[str] = Counter()
        for fanout in self._fanouts:
            totals.update(fanout.totals)
        return dict(totals)

    def consumer(self, group: str, lane: int = 0) -> Consumer:
        """The consumer of one of a group's lanes, to be stepped by hand: the caller must be the only one who runs it."""
        return self._consumers[group][lane]

    def states(self) -> dict[str, str]:
        """Each group in this process: "ok", "elsewhere" (other processes have its lanes), "stopped", or the error that it, or
        one of its lanes, retries after."""
        return {group: self._state(consumers) for group, consumers in self._consumers.items()}

    def _state(self, consumers: Sequence[Consumer]) -> str:
        states = []
        for consumer in consumers:
            state = self._states.get(consumer.name, "stopped")
            states.append(consumer.failing or state if state == "ok" else state)
        well = ("ok", "elsewhere", "stopped")
        failing = [state for state in states if state not in well]
        return failing[0] if failing else min(states, key=well.index)

    async def run(self, groups: Sequence[str], stop: asyncio.Event) -> None:
        """Run a fair share of these groups' lanes until `stop`; what another process has is waited for."""
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                consumers = self._consumers[group]
                share = Share(self._stores.leases, group, self._name, len(consumers))
                tasks.create_task(share.keep(stop), name=f"share of {group}")
                for consumer in consumers:
                    tasks.create_task(self._run(consumer, share, stop), name=f"consumer {consumer.name}")

    async def moment(self) -> Moment:
        """Now: what comes after it can be told from what was there before."""
        end = await self._stores.log.tail()
        return Moment(end, {one.name: await one.lane.log.tail() for group in self._consumers.values() for one in group})

    async def drain(self, groups: Sequence[str] = GROUPS, *, own_only_until: Moment | None = None) -> bool:
        """Handle everything pending now, and what follows from it. False where another process runs a lane of these groups.

        With `own_only_until`, the moment before a command began, only what came after it is handled: where the lanes had
        caught up by then in the ordinary way, else out of turn, so that the lanes meet those events once more.
        A store that fails again and again is not waited for: its `StoreError` is raised, and what is left stays pending.
        """
        leases: list[Lease] = []
        asked = [consumer for group in groups for consumer in self._consumers[group]]
        try:
            taken = await asyncio.gather(
                *(self._stores.leases.acquire(consumer.name, self._name) for consumer in asked), return_exceptions=True
            )
            leases += [lease for lease in taken if lease is not None and not isinstance(lease, BaseException)]
            consumers: list[Consumer] = []
            fences = []
            for consumer, lease in zip(asked, taken, strict=True):
                if isinstance(lease, BaseException):
                    raise lease
                if lease is not None:
                    consumer.patient = False
                    consumers.append(consumer)
                    fences.append(lease.fence)
            await asyncio.gather(*(consumer.open(fence) for consumer, fence in zip(consumers, fences, strict=True)))
            before = own_only_until
            if before is None or all(consumer.caught_up(before.lanes[consumer.name]) for consumer in consumers):
                await self._until_idle(consumers)
            else:
                await self._own_only(consumers, before.end)
            return len(consumers) == len(asked)
        finally:
            for lease in leases:
                lease.release()

    async def _own_only(self, consumers: Sequence[Consumer], after: int) -> None:
        """Hand each group what was appended after `after`, and what its handling appends. One lane's handler serves for all
        lanes of its group: none moves its place."""
        seen = after
        chosen = {consumer.lane.group: consumer for consumer in reversed(consumers)}
        for _ in range(len(GROUPS) + 1):
            events = await self._stores.log.read(seen, OWN_EVENTS_MAX)
            if not events:
                return
            seen = events[-1].offset
            for consumer in reversed(chosen.values()):
                try:
                    await consumer.apart(events)
                except Exception:
                    log.exception("%s: left to whoever runs the group", consumer.name)

    async def _until_idle(self, consumers: Sequence[Consumer]) -> None:
        """In turns, since what one group does makes events for the others."""
        busy = True
        while busy:
            await self._stores.log.caught_up()
            busy = False
            for consumer in consumers:
                while await consumer.step():
                    busy = True
        for consumer in consumers:
            await consumer.close()

    def _carried(self, followees: Iterable[int]) -> None:
        """Whose follower lists moved: every lane's fan-out reads them again."""
        moved = tuple(followees)
        for fanout in self._fanouts:
            fanout.forget(moved)

    async def _run(self, consumer: Consumer, share: Share, stop: asyncio.Event) -> None:
        name = consumer.name
        while not stop.is_set():
            lease: Lease | None = None
            try:
                lease = await self._lease(name, share, stop)
                if lease is None:
                    break
                consumer.patient = True
                await consumer.open(lease.fence)
                self._states[name] = "ok"
                await self._follow(consumer, lease, share, stop)
            except StoreError as error:
                self._states[name] = f"{type(error).__name__}: {error}"
                log.warning("%s: %s; starting again", name, error)
                await pause(stop)
            except Exception as error:
                self._states[name] = f"{type(error).__name__}: {error}"
                log.exception("%s: failed where it must not; starting again", name)
                await pause(stop)
            finally:
                if lease is not None:
                    share.end(name)
                    lease.release()
        self._states[name] = "stopped"

    async def _follow(self, consumer: Consumer, lease: Lease, share: Share, stop: asyncio.Event) -> None:
        """Work, and wait where there is nothing to do, until the stop or until the lane is another's."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not (stop.is_set() or lease.lost or share.surplus(consumer.name)):
                await self._keep_house()
                if await consumer.step():
                    await asyncio.sleep(0)  # stores may answer without waiting: the gateway must have its turn
                else:
                    await self._wait(consumer, stopped)
            if lease.lost:
                log.warning("%s: its lease was lost; whoever has it now does the last steps once more", consumer.name)
                return
            async with asyncio.timeout(self._limits.store_timeout_ms / 1_000):
                await consumer.close()
        except TimeoutError:
            log.warning("%s: left before its last steps were recorded; they will be done once more", consumer.name)
        finally:
            stopped.cancel()

    async def _keep_house(self) -> None:
        """Now and then, busy or not: drop old events that everybody has passed, and accounts whose grace is over."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._house_at_ms:
            self._house_at_ms = now_ms + HOUSE_EVERY_MS
            await self._stores.log.trim(now_ms - self._limits.event_retention_ms, GROUPS)
            await delete_expired(self._stores, self._limits, self._clock)

    async def _wait(self, consumer: Consumer, stopped: asyncio.Task[Literal[True]]) -> None:
        """Until there is an event, or a stop."""
        waiting = asyncio.ensure_future(consumer.lane.log.wait(consumer.offset, WAIT_S))

        def wake(_: object) -> None:
            waiting.cancel()

        stopped.add_done_callback(wake)
        try:
            await waiting
        except asyncio.CancelledError:
            if not stopped.done() or stopped.cancelled():  # a loop that ends cancels both, and neither was told to stop
                waiting.cancel()
                raise
        finally:
            stopped.remove_done_callback(wake)

    async def _lease(self, name: str, share: Share, stop: asyncio.Event) -> Lease | None:
        """The lane's lease, with the lane counted to the share; `None` once stopped."""
        while not stop.is_set():
            if share.begin(name):
                lease = None
                try:
                    lease = await self._stores.leases.acquire(name, self._name)
                finally:
                    if lease is None:
                        share.end(name)
                if lease is not None:
                    return lease
            self._states[name] = "elsewhere"
            await pause(stop)
        return None
