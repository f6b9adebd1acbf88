"""Stores in virtual time: another world's stores give the meaning, the queues say how long each call takes and what fails.

Every port call that `day.counting` measures is split by the shards its keys lie on and waits for the slowest of them. A read
sees the store as it is when its servers take it up; the effect of a write comes when it is served, not at all where it is
refused, and perhaps after its caller has given up. What is not measured (following the log, leases) takes no time.
Nothing here adds load to the queues.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from ..core.clock import Clock
from ..core.errors import StoreDown, StoreTimeout
from ..core.limits import Limits
from ..core.ports import Stores
from ..core.routing import Epoch, Kept, route
from .day.counting import MEASURES, PORTS
from .kinds import KEPT_OF, Counts, Kind
from .queues.chance import key_of
from .queues.model import Delay, Effect, Refused, Served, TimedOut

REQUEST: contextvars.ContextVar[int] = contextvars.ContextVar("request", default=0)
"""The number of the request that a task serves: with the number of the call it keys every draw."""

REBUILDING: contextvars.ContextVar[bool] = contextvars.ContextVar("rebuilding", default=False)
"""Whether this task has begun a row that it has not yet filled: author lists are then read for that."""

Answered = Mapping[str, Any]
_TOP = 1 << 64


class Write(NamedTuple):
    """What a write is to the queues before it is done: its kind, and how much it carries."""

    kind: Kind
    elements: Callable[[Answered], int]


KEYS: dict[str, Callable[[Answered], Sequence[int]]] = {
    "accounts.get": lambda asked: asked["user_ids"],
    "accounts.counts": lambda asked: asked["user_ids"],
    "accounts.ids_of": lambda asked: [key_of(name) >> 1 for name in asked["usernames"]],
    "graph.following": lambda asked: asked["users"],
    "graph.followers": lambda asked: [asked["user"]],
    "graph.followers_first": lambda asked: asked["users"],
    "relations.blocks": lambda asked: asked["users"],
    "engagement.recent_likes": lambda asked: [asked["user"]],
    "engagement.liked": lambda asked: [asked["user"]],
    "engagement.counts": lambda asked: asked["tweet_ids"],
    "engagement.like": lambda asked: [tweet for _, tweet in asked["pairs"]],
    "tweets.retweet_ids": lambda asked: [asked["user"]],
    "tweets.get": lambda asked: asked["tweet_ids"],
    "tweets.by_authors": lambda asked: asked["authors"],
    "tweets.put": lambda asked: [new.tweet.tweet_id for new in asked["tweets"]],
    "timelines.read": lambda asked: [asked["reader"]],
    "timelines.begin": lambda asked: asked["readers"],
    "timelines.replace": lambda asked: [asked["reader"]],
    "timelines.push": lambda asked: asked["readers"].tolist(),
    "timelines.push_each": lambda asked: np.concatenate([*asked["groups"], np.empty(0, np.int64)]).tolist(),
}
WRITES = {
    "engagement.like": Write(Kind.LIKE, lambda asked: len(asked["pairs"])),
    "tweets.put": Write(Kind.PUT_TWEET, lambda asked: len(asked["tweets"])),
    "timelines.begin": Write(Kind.REBUILD_WRITE, lambda _: 0),
    "timelines.replace": Write(Kind.REBUILD_WRITE, lambda asked: len(asked["entries"])),
    "timelines.push": Write(Kind.PUSH, lambda asked: len(asked["entries"]) * len(asked["readers"])),
    "timelines.push_each": Write(Kind.PUSH, lambda asked: sum(map(len, asked["groups"]))),
}


class Queues(NamedTuple):
    """What all modelled ports share. `deadline_us`: how long a caller waits for a store."""

    delay: Delay
    clock: Clock
    limits: Limits
    epoch: Epoch
    seed: int
    deadline_us: int


class ModelledStores:
    """`ports.Stores` over others, six ports of which take time and fail as the queues say."""

    def __init__(self, stores: Stores, queues: Queues) -> None:
        self._stores = stores
        self._late: list[asyncio.Task[None]] = []
        calls = itertools.count(1)
        for name in PORTS:
            setattr(self, name, _ModelledPort(getattr(stores, name), name, queues, calls, self._late))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores, name)

    async def settle(self) -> None:
        """Wait for writes whose callers gave up and which are done all the same."""
        while self._late:
            await self._late.pop()


def modelled(
    stores: Stores, *, delay: Delay, clock: Clock, limits: Limits, epoch: Epoch, seed: int, deadline_us: int
) -> tuple[Stores, Callable[[], Awaitable[None]]]:
    """The same stores in virtual time, and what waits for their late effects."""
    made = ModelledStores(stores, Queues(delay, clock, limits, epoch, seed, deadline_us))
    return cast("Stores", made), made.settle


class _ModelledPort:
    """One port; methods that nobody measures pass through and take no time."""

    def __init__(self, port: object, name: str, queues: Queues, calls: itertools.count[int], late: list[asyncio.Task[None]]) -> None:
        self._port, self._name, self._queues, self._calls, self._late = port, name, queues, calls, late

    def __getattr__(self, method: str) -> Any:
        asked, verb = getattr(self._port, method), f"{self._name}.{method}"
        if verb not in MEASURES:
            return asked
        signature = inspect.signature(asked)
        act = self._write if verb in WRITES else self._read

        async def call(*args: object, **kwargs: object) -> object:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            place = _Place(verb, key_of(self._queues.seed, REQUEST.get(), next(self._calls)), KEYS[verb](bound.arguments))
            asked_for = {**bound.arguments, "rebuilding": REBUILDING.get()}
            answer = await act(place, asked_for, lambda: asked(*args, **kwargs))
            if method in {"begin", "replace"}:
                REBUILDING.set(method == "begin")
            return answer

        setattr(self, method, call)
        return call

    async def _read(self, place: _Place, asked: Answered, do: Callable[[], Awaitable[Any]]) -> object:
        """First the wait, which does not depend on the size of the answer; then the answer, which costs by its size."""
        queues = self._queues
        kind = _kind_of(place.verb, queues.limits, asked)
        waited = await self._through(place, {kind: Counts(1, len(place.keys))}, lambda served: served.wait_us)
        answer = await do()
        sizes = dict(MEASURES[place.verb](queues.limits, asked, answer))
        await self._through(place, sizes, lambda served: served.service_us + served.net_us, spent_us=waited)
        return answer

    async def _write(self, place: _Place, asked: Answered, do: Callable[[], Awaitable[Any]]) -> object:
        write = WRITES[place.verb]
        sizes = {write.kind: Counts(1, write.elements(asked))}
        try:
            await self._through(place, sizes, lambda served: served.wait_us + served.service_us)
        except _LateError as late:
            self._late.append(asyncio.ensure_future(self._later(late.after_us, do)))
            raise _timed_out(place.verb, self._queues.deadline_us) from None
        return await do()

    async def _later(self, after_us: int, do: Callable[[], Awaitable[Any]]) -> None:
        await self._queues.clock.sleep(after_us / 1e6)
        await do()

    async def _through(
        self, place: _Place, sizes: Mapping[Kind, Counts], part_of: Callable[[Served], int], spent_us: int = 0
    ) -> int:
        """Wait for the slowest of the shards and return how long that was. Raises what a caller of a store is told."""
        queues, began = self._queues, self._queues.clock.monotonic_us() - spent_us
        slowest, late, refused = spent_us, False, 0
        for number, (kind, shard, size) in enumerate(_parts(sizes, place.keys, queues.epoch)):
            u01 = (key_of(place.draw, number) + 0.5) / _TOP
            outcome = queues.delay.at(kind, shard, began, size.elements, size.bytes, u01)
            if isinstance(outcome, Refused):
                refused = max(refused, outcome.after_us + 1)
            elif isinstance(outcome, TimedOut):
                slowest = max(slowest, outcome.after_us)
                late |= outcome.effect is Effect.DONE
                refused = refused if outcome.effect is Effect.DONE else max(refused, outcome.after_us + 1)
            else:
                slowest = max(slowest, spent_us + part_of(outcome))
        if refused and not late:
            await queues.clock.sleep((refused - 1) / 1e6)
            raise StoreDown(f"{place.verb} was turned away", meaning="its server is down or has too much to do", try_="later")
        if late or slowest > queues.deadline_us:
            await queues.clock.sleep(max(0, queues.deadline_us - spent_us) / 1e6)
            if place.verb in WRITES:
                raise _LateError(max(0, slowest - queues.deadline_us))
            raise _timed_out(place.verb, queues.deadline_us)
        await queues.clock.sleep((slowest - spent_us) / 1e6)
        return slowest


class _Place(NamedTuple):
    """One call: what keys its draws, and what it asks for."""

    verb: str
    draw: int
    keys: Sequence[int]


class _LateError(Exception):
    """The caller has given up; the write is done `after_us` later."""

    def __init__(self, after_us: int) -> None:
        super().__init__(after_us)
        self.after_us = after_us


def _timed_out(verb: str, deadline_us: int) -> StoreTimeout:
    return StoreTimeout(f"{verb} took longer than {deadline_us / 1e3:g} ms", meaning="its server is slow", try_="later")


def _kind_of(verb: str, limits: Limits, asked: Answered) -> Kind:
    """The kind of a read before its answer is known."""
    empty: Any = (b"", 0) if verb in {"graph.followers", "engagement.recent_likes"} else ()
    if verb == "timelines.read":
        return Kind.HOME_IDS
    return next(iter(MEASURES[verb](limits, asked, empty)))[0]


@functools.lru_cache(1 << 18)
def _shard(kept: Kept, key: int, epoch: Epoch) -> int:
    return route(kept, key, epoch)[1]


def _parts(sizes: Mapping[Kind, Counts], keys: Sequence[int], epoch: Epoch) -> list[tuple[Kind, int, Counts]]:
    """What each shard is asked for, elements and bytes shared out by how many of the keys it holds; in order of shard."""
    parts = []
    for kind, size in sizes.items():
        held: dict[int, int] = {}
        for key in keys:
            shard = _shard(KEPT_OF[kind], key, epoch)
            held[shard] = held.get(shard, 0) + 1
        for shard, share in sorted(held.items()):
            parts.append((kind, shard, Counts(1, -(-size.elements * share // len(keys)), -(-size.bytes * share // len(keys)))))
    return parts
