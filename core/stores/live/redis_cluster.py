"""Commands to the right node of a Redis Cluster: one, or a batch that goes to many nodes at once.

Slots move and nodes die. What a node refused because a slot is elsewhere, and what a broken connection left open, is sent
again by a new slot map, until the call's time is up: so what is sent must be repeatable. A slot that is being moved is followed
by ASK. It knows nothing of timelines; `core.errors` are all that leaves it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import hiredis
import numpy as np

from ...errors import StoreDown, StoreTimeout
from .config import Access
from .redis_admin import NOBODY, Node, RedisAdmin, SlotMap
from .redis_replies import ELSEWHERE, UNKNOWN_FUNCTION, Refused, Via, asked, judged
from .redis_wire import Command, Lost, Wire, connect

if TYPE_CHECKING:
    from ...entries import Ids

WINDOW = 8  # calls of one batch under way on one node
PAUSE_S, PAUSE_MAX_S = 0.01, 0.4  # between attempts, doubled, with jitter


class Cluster:
    """Open with `open`. `on_map` is told of every new slot map, `on_restart` of a node whose process is another, before commands go by it."""

    def __init__(self, admin: RedisAdmin, access: Access, timeout_ms: int) -> None:
        self.map: SlotMap = NOBODY
        self.commands = 0  # sent so far
        self.on_map: Callable[[SlotMap, SlotMap], None] = lambda _old, _new: None
        self.on_restart: Callable[[Node, Wire], None] = lambda _node, _wire: None
        self._admin, self._access, self._timeout_s = admin, access, timeout_ms / 1_000
        self._wires: dict[tuple[str, int], asyncio.Task[Wire]] = {}
        self._runs: dict[str, bytes] = {}
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Learn the slot map. Raises `StoreDown`."""
        await self.refresh()

    async def refresh(self) -> None:
        """Read the slot map anew; who asks meanwhile shares the answer."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        old, self.map = self.map, await self._admin.slot_map()
        self.on_map(old, self.map)

    # ---- connections

    async def wire(self, slot: int) -> Wire:
        """The connection to the primary of a slot. Raises `Lost`."""
        at = int(self.map.owner[slot])
        if at < 0:
            raise Lost(f"slot {slot} is nobody's")
        return await self.wire_to(self.map.nodes[at])

    async def wire_to(self, node: Node) -> Wire:
        """The connection to a node, made where there is none."""
        place = (node.host, node.port)
        task = self._wires.get(place)
        if task is not None and task.done() and (task.cancelled() or task.exception() or task.result().closed):
            task = None
        if task is None:
            task = self._wires[place] = asyncio.create_task(self._connect(node))
        return task.result() if task.done() else await asyncio.shield(task)

    async def _connect(self, node: Node) -> Wire:
        wire = await connect(node.host, node.port, self._access)
        if self._runs.get(node.node_id, wire.run_id) != wire.run_id:
            self.on_restart(node, wire)
        if node.node_id:
            self._runs[node.node_id] = wire.run_id
        return wire

    async def close(self) -> None:
        """Let go of all connections. More than once is harmless."""
        tasks, self._wires = list(self._wires.values()), {}
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, Wire):
                found.close()
        self._admin.close()

    # ---- one command

    async def one(self, slot: int, command: Command, timeout_s: float | None = None) -> tuple[Any, Via]:
        """Send a command of one key to whoever has it; its reply, and who gave it. Raises what `spread` raises."""
        tries = Tries(self, timeout_s or self._timeout_s)
        sent: list[tuple[Wire, asyncio.Future[Any]]] = []
        try:
            async with asyncio.timeout(tries.timeout_s):
                while True:
                    try:
                        wire = await self.wire(slot)
                        reply = await self._ask(wire, command, sent)
                    except Lost as error:
                        await tries.again(error)
                        continue
                    if not isinstance(reply, Refused):
                        return reply, Via(wire.run_id)
                    await tries.again(reply)
        except TimeoutError as error:
            raise self._late(tries, sent) from error

    async def _ask(self, wire: Wire, command: Command, sent: list[tuple[Wire, asyncio.Future[Any]]]) -> Any:
        self.commands += 1
        (future,) = wire.send([command])
        sent[:] = [(wire, future)]
        reply = await future
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("ASK "):
            other = await self.wire_to(asked(str(reply)))
            first, future = other.send([("ASKING",), command])
            sent[:] = [(other, future)]
            await first
            reply = await future
        return judged(reply)

    # ---- many

    async def spread(
        self, keys: Sequence[bytes], slots: Ids, calls: Callable[[Via, list[int]], Iterable[tuple[list[int], Command]]],
        take: Callable[[list[int], Any], list[int]],
    ) -> None:  # fmt: skip
        """Serve all keys, each node's in calls of its own, all nodes at once.

        `calls` makes commands for a part of the keys (their places), each with the places it serves; `take` is handed its reply and
        returns the places that were not at that node. Raises `StoreDown` and `StoreTimeout` when the time is up, `StoreFull`,
        `StoreCorrupt`.
        """
        tries = Tries(self, self._timeout_s)
        sent: list[tuple[Wire, asyncio.Future[Any]]] = []
        left, elsewhere = np.arange(len(keys)), False
        try:
            async with asyncio.timeout(self._timeout_s):
                while len(left):
                    if elsewhere:
                        left = await self._by_ask(keys, slots, left, calls, take)
                    rest, reason = await self._round(slots, left, calls, take, sent)
                    left = np.array(sorted(rest), np.int64)
                    elsewhere = isinstance(reason, Refused) and tries.count > 0
                    if reason is not None and len(left):
                        await tries.again(reason)
        except TimeoutError as error:
            raise self._late(tries, sent) from error

    async def _round(
        self, slots: Ids, left: Ids, calls: Any, take: Any, sent: list[tuple[Wire, asyncio.Future[Any]]],
    ) -> tuple[list[int], Refused | Lost | None]:  # fmt: skip
        """One attempt at what is left; what has to be sent again, and why."""
        rest: list[int] = []
        reason: Refused | Lost | None = None
        sources: dict[Wire, Iterator[tuple[list[int], Command]]] = {}
        owners = self.map.owner[slots[left]]
        for at in np.unique(owners).tolist():
            part = left[owners == at].tolist()
            try:
                wire = await self.wire(int(slots[part[0]]))
                sources[wire] = iter(calls(Via(wire.run_id), part))
            except Lost as error:
                rest, reason = rest + part, error
        while sources:
            under_way = self._send_window(sources, sent)
            for part, future in under_way:
                try:
                    reply = judged(await future)
                except Lost as error:
                    rest, reason = rest + part, error
                    continue
                missed = part if isinstance(reply, Refused) else take(part, reply)
                if missed:
                    rest, reason = rest + missed, reply if isinstance(reply, Refused) else Refused(ELSEWHERE)
            for wire in sources:
                await wire.drained()
        return rest, reason

    def _send_window(self, sources: Any, sent: list[tuple[Wire, asyncio.Future[Any]]]) -> list[tuple[list[int], Any]]:
        """Send the next calls of each node; a node without more is taken out."""
        under_way = []
        sent.clear()
        for wire, source in list(sources.items()):
            some = list(islice(source, WINDOW))
            if len(some) < WINDOW:
                del sources[wire]
            self.commands += len(some)
            futures = wire.send([command for _, command in some])
            under_way += [(part, future) for (part, _), future in zip(some, futures, strict=True)]
            sent += [(wire, future) for future in futures]
        return under_way

    async def _by_ask(self, keys: Sequence[bytes], slots: Ids, left: Ids, calls: Any, take: Any) -> Ids:
        """Serve those whose slot is being moved and who went ahead of it; the others are returned."""
        stays: list[int] = []
        gone: dict[tuple[str, int], list[int]] = {}
        try:
            for place in left.tolist():
                (future,) = (await self.wire(int(slots[place]))).send([("EXISTS", keys[place])])
                reply = await future
                if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("ASK "):
                    node = asked(str(reply))
                    gone.setdefault((node.host, node.port), []).append(place)
                else:
                    stays.append(place)
            for (host, port), part in gone.items():
                wire = await self.wire_to(Node("", host, port))
                for one in part:
                    for served, command in calls(Via(wire.run_id, asking=True), [one]):
                        futures = wire.send([("ASKING",), command])
                        reply = judged([await future for future in futures][1])
                        stays += served if isinstance(reply, Refused) else take(served, reply)
        except Lost:
            return left
        return np.array(sorted(stays), np.int64)

    # ---- what goes wrong

    def _late(self, tries: Tries, sent: Sequence[tuple[Wire, asyncio.Future[Any]]]) -> StoreDown | StoreTimeout:
        """Time is up. A connection on which nothing came is given up: what it answers now is nobody's."""
        for wire, future in sent:
            if future.cancelled() or not future.done():
                wire.close()
        if tries.reason is not None:
            text = tries.reason.text if isinstance(tries.reason, Refused) else str(tries.reason)
            return StoreDown(f"redis: {text}", try_="twit context check")
        return StoreTimeout(f"redis: no answer within {tries.timeout_s:g} s")

    async def reload(self) -> None:
        """Put the functions onto primaries that lack them."""
        await self._admin.load()


class Tries:
    """Attempts of one call: why the last one failed, and the pause before the next."""

    def __init__(self, cluster: Cluster, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.reason: Refused | Lost | None = None
        self.count = 0
        self._cluster = cluster

    async def again(self, reason: Refused | Lost) -> None:
        """Learn what changed, and wait a moment."""
        self.reason = reason
        if isinstance(reason, Refused) and UNKNOWN_FUNCTION in reason.text:
            await self._cluster.reload()
        if self.count:
            pause = min(PAUSE_MAX_S, PAUSE_S * 2**self.count)
            await asyncio.sleep(pause * (0.5 + random.random()))
        await self._cluster.refresh()
        self.count += 1
