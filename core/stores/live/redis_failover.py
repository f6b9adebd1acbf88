"""What a failover may have cost: rows of the slots concerned are taken for absent, so that they are built again from truth.

A primary answers before its replica has what it was told; when it dies, a row on the new primary may lack pushes that were
acknowledged, and does not know it. Each row therefore carries the run id of the process on which it was begun. Whoever sees, by two
slot maps, that a slot passed to a node that was no primary before, believes only rows of that slot which carry the new primary's
run id, from that moment on; and takes the others away, which any number of processes may do, early or late, again and again.
The map last seen is kept in the cluster too, so that a failover is found out by a process that was not there.

A slot that is moved to another primary takes its rows along: nothing is lost, nothing forgotten. A primary that restarts keeps
what it wrote where it has an append-only file; where it has none, its rows are taken for absent as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ...errors import StoreError
from .redis_admin import Node, SlotMap
from .redis_cluster import Cluster
from .redis_replies import Via
from .redis_slots import SLOTS, Keys, tags
from .redis_wire import Command, Wire

if TYPE_CHECKING:
    from ...entries import Ids

log = logging.getLogger("twit.redis")

STAMP = 8  # bytes of a run id that a row carries
ROWS_AT_ONCE = 200  # rows of a slot looked at in one call
AGAIN_S = 1.0
PLACE = 0  # the slot in which the map is kept


def changed_hands(old: SlotMap, new: SlotMap) -> Ids:
    """Slots whose primary is another than before, and was no primary before: not moved there on purpose."""
    known = {node.node_id for node in old.nodes}
    promoted = np.array([node.node_id not in known for node in new.nodes] + [False])
    lost: Ids = np.flatnonzero((old.owner >= 0) & (new.owner >= 0) & promoted[new.owner])
    return lost


class Failovers:
    """Watches the slot maps of a cluster for one namespace. `hooks` are told the slots, after they stopped being believed."""

    def __init__(self, cluster: Cluster, keys: Keys, prefix: str) -> None:
        self.hooks: list[Callable[[Ids], None]] = []
        self._cluster, self._prefix = cluster, prefix
        self._namespace, self._letter = keys.namespace, keys.letter
        self._suspect = np.zeros(SLOTS, np.bool_)
        self._tasks: set[asyncio.Task[None]] = set()
        cluster.on_map = self._on_map
        cluster.on_restart = self._on_restart

    def believed(self, slot: int, stamp: bytes, via: Via) -> bool:
        """Whether a row of this slot that carries `stamp` may be read."""
        return not self._suspect[slot] or stamp == via.run_id[:STAMP]

    async def catch_up(self) -> None:
        """At the start: compare with the map that was last written down, and write down what is."""
        kept, _ = await self._cluster.one(PLACE, ("GET", self._key()))
        if kept is not None:
            self._on_map(_read(kept), self._cluster.map)
        await self._write_down()

    def _on_map(self, old: SlotMap, new: SlotMap) -> None:
        lost = changed_hands(old, new)
        if len(lost):
            self._distrust(lost, "a failover")
        elif old.nodes and [node.node_id for node in old.nodes] != [node.node_id for node in new.nodes]:
            self._start(self._until_done(lost))

    def _on_restart(self, node: Node, wire: Wire) -> None:
        if not wire.kept and node in self._cluster.map.nodes:
            slots = np.flatnonzero(self._cluster.map.owner == self._cluster.map.nodes.index(node))
            self._distrust(slots, "a restart without an append-only file")

    def _distrust(self, slots: Ids, why: str) -> None:
        log.warning("redis: %s: timelines of %d slots are built again", why, len(slots))
        self._suspect[slots] = True
        for hook in self.hooks:
            hook(slots)
        self._start(self._until_done(slots))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_done(self, slots: Ids) -> None:
        while True:
            try:
                await self.drop_slots(slots)
                await self._write_down()
            except StoreError as error:
                log.warning("redis: rows of lost slots are still there: %s", error)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def drop_slots(self, slots: Ids) -> None:
        """Take away the rows of these slots that were begun elsewhere than on the process that is their primary now. May be repeated."""
        after = dict.fromkeys(slots.tolist(), 0)
        while after:
            after = await self._drop_some(after)

    async def _drop_some(self, after: dict[int, int]) -> dict[int, int]:
        """Look at the next rows of each slot; from where to go on in those that have more."""
        slots = list(after)
        last = dict.fromkeys(slots, 0)

        def calls(via: Via, part: list[int]) -> list[tuple[list[int], Command]]:
            head = ("FCALL", f"{self._prefix}forget", 0, self._namespace, self._letter)
            stamp = via.run_id[:STAMP]
            return [([at], (*head, tags()[slots[at]], stamp, after[slots[at]], ROWS_AT_ONCE)) for at in part]

        def take(part: list[int], reply: int) -> list[int]:
            last[slots[part[0]]] = reply
            return []

        keys = [b"%b:r:{%b}" % (self._namespace, tags()[slot]) for slot in slots]
        await self._cluster.spread(keys, np.array(slots), calls, take)
        self._suspect[[slot for slot in slots if not last[slot]]] = False
        return {slot: reached for slot, reached in last.items() if reached}

    async def settled(self) -> None:
        """Wait until what is under way is done."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Stop. What is left is found by the next process, by the map that was not written down."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- the map that is kept

    def _key(self) -> bytes:
        return b"%b:primaries:{%b}" % (self._namespace, tags()[PLACE])

    async def _write_down(self) -> None:
        text = _written(self._cluster.map)
        await self._cluster.one(PLACE, ("SET", self._key(), text))


def _written(slot_map: SlotMap) -> bytes:
    """Ranges of slots and the id of whose they are."""
    owner = slot_map.owner
    edges = np.flatnonzero(np.diff(owner)) + 1
    starts, ends = [0, *edges.tolist()], [*(edges - 1).tolist(), SLOTS - 1]
    found = [(start, end, slot_map.nodes[at].node_id) for start, end in zip(starts, ends, strict=True) if (at := owner[start]) >= 0]
    return msgspec.json.encode(found)


def _read(text: bytes) -> SlotMap:
    nodes: dict[str, Node] = {}
    owner = np.full(SLOTS, -1, np.int16)
    for start, end, name in msgspec.json.decode(text, type=list[tuple[int, int, str]]):
        nodes.setdefault(name, Node(name, "", 0))
        owner[start : end + 1] = list(nodes).index(name)
    return SlotMap(tuple(nodes.values()), owner)
