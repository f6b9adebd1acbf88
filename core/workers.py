"""The event consumers of a process: which groups there are, who runs them, and running them until told to stop.

One process runs a group at a time, by a lease that dies with it. A consumer's failure is logged, shown and retried; it never
ends in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Literal

from .caches import Caches
from .carrier import Carrier
from .clock import Clock
from .consumer import Consumer
from .departures import delete_expired
from .entropy import Chance
from .errors import StoreError
from .fanout import Fanout
from .limits import Limits
from .ports import Lease, Stores

GROUPS = ("social", "fanout")
LEASE_RETRY_S = 0.5  # how soon a dead holder's group is taken over
WAIT_S = 1.0  # one wait for events; also how soon a stop is noticed at the latest
HOUSE_EVERY_MS = 60_000  # little at a time
OWN_EVENTS_MAX = 10_000  # of one command: more than that is not a command but a backlog

log = logging.getLogger(__name__)


class Workers:
    """Consumers over one world's stores."""

    def __init__(  # noqa: PLR0917 - what consumers need, in the order in which wiring makes it
        self, stores: Stores, limits: Limits, clock: Clock, chance: Chance, caches: Caches, name: str
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._name = name
        self._house_at_ms = 0
        self._fanout = Fanout(stores, limits, clock, caches)
        handlers = (Carrier(stores, limits, clock, caches, carried=self._fanout.forget), self._fanout)
        self._consumers = {handler.group: Consumer(stores, limits, clock, chance, handler) for handler in handlers}
        self._states: dict[str, str] = dict.fromkeys(GROUPS, "stopped")

    def deliveries(self) -> Mapping[str, int]:
        """Entries fanned out by this process since it started, by outcome."""
        return dict(self._fanout.totals)

    def consumer(self, group: str) -> Consumer:
        """One group's consumer, to be stepped by hand: the caller must be the only one who runs it."""
        return self._consumers[group]

    def states(self) -> dict[str, str]:
        """Each group in this process: "ok", "elsewhere" (another process has it), "stopped", or the error it retries after."""
        states = dict(self._states)
        for group, consumer in self._consumers.items():
            if states[group] == "ok" and consumer.failing:
                states[group] = consumer.failing
        return states

    async def run(self, groups: Sequence[str], stop: asyncio.Event) -> None:
        """Run these groups until `stop`; each waits for its lease where another process has it."""
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                tasks.create_task(self._run(self._consumers[group], stop), name=f"consumer {group}")

    async def drain(self, groups: Sequence[str] = GROUPS, *, own_only_until: int | None = None) -> bool:
        """Handle everything pending now, and what follows from it. False where another process runs one of the groups.

        With `own_only_until`, the log's tail before a command began, only what came after it is handled: where the group had
        caught up by then in the ordinary way, else out of turn, so that the group meets those events once more.
        A store that fails again and again is not waited for: its `StoreError` is raised, and what is left stays pending.
        """
        leases: list[Lease] = []
        try:
            consumers = []
            for group in groups:
                lease = await self._stores.leases.acquire(group, self._name)
                if lease is not None:
                    leases.append(lease)
                    consumer = self._consumers[group]
                    consumer.patient = False
                    consumers.append(consumer)
                    await consumer.open()
            if own_only_until is None or all(consumer.caught_up(own_only_until) for consumer in consumers):
                await _until_idle(consumers)
            else:
                await self._own_only(consumers, own_only_until)
            return len(consumers) == len(groups)
        finally:
            for lease in leases:
                lease.release()

    async def _own_only(self, consumers: Sequence[Consumer], after: int) -> None:
        """Hand each group what was appended after `after`, and what its handling appends."""
        seen = after
        for _ in range(len(GROUPS) + 1):
            events = await self._stores.log.read(seen, OWN_EVENTS_MAX)
            if not events:
                return
            seen = events[-1].offset
            for consumer in consumers:
                try:
                    await consumer.apart(events)
                except Exception:
                    log.exception("%s: left to whoever runs the group", consumer.group)

    async def _run(self, consumer: Consumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            lease = await self._lease(consumer.group, stop)
            if lease is None:
                return
            try:
                consumer.patient = True
                await consumer.open()
                self._states[consumer.group] = "ok"
                await self._follow(consumer, stop)
            except StoreError as error:
                self._states[consumer.group] = f"{type(error).__name__}: {error}"
                log.warning("%s: %s; starting again", consumer.group, error)
                await _pause(stop)
            except Exception as error:
                self._states[consumer.group] = f"{type(error).__name__}: {error}"
                log.exception("%s: failed where it must not; starting again", consumer.group)
                await _pause(stop)
            finally:
                lease.release()
        self._states[consumer.group] = "stopped"

    async def _follow(self, consumer: Consumer, stop: asyncio.Event) -> None:
        """Work, and wait where there is nothing to do."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._keep_house()
                if await consumer.step():
                    await asyncio.sleep(0)  # stores may answer without waiting: the gateway must have its turn
                else:
                    await self._wait(consumer, stopped)
            async with asyncio.timeout(self._limits.store_timeout_ms / 1_000):
                await consumer.close()
        except TimeoutError:
            log.warning("%s: stopped before its last steps were recorded; they will be done once more", consumer.group)
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
        waiting = asyncio.ensure_future(self._stores.log.wait(consumer.offset, WAIT_S))

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

    async def _lease(self, group: str, stop: asyncio.Event) -> Lease | None:
        """The group's lease, `None` once stopped."""
        while not stop.is_set():
            lease = await self._stores.leases.acquire(group, self._name)
            if lease is not None:
                return lease
            self._states[group] = "elsewhere"
            await _pause(stop)
        return None


async def _until_idle(consumers: Sequence[Consumer]) -> None:
    """In turns, since what one group does makes events for the others."""
    busy = True
    while busy:
        busy = False
        for consumer in consumers:
            while await consumer.step():
                busy = True
    for consumer in consumers:
        await consumer.close()


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LEASE_RETRY_S):
            await stop.wait()
    except TimeoutError:
        return
