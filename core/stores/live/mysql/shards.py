"""Which server holds which of the 256 logical shards, and calls that go to several servers at once.

An account's shard is `user_id % 256` (user ids are dense), a name's the checksum of its bytes. The map has an epoch and lies
on every server; a process that goes by another epoch is refused (`server.py`). It moves no shards.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec

from ....errors import StoreTimeout
from ..outbox import Outbox, Outgoing
from .journal import Journal
from .server import Server, Session

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item of the question

SHARDS = 256
OPS = 0  # the shard with the counters, grants, leases and parked events of the whole world


class ShardMap(msgspec.Struct, frozen=True):
    """`servers` are addresses as configured; `holders` has one index into them for each shard."""

    epoch: int
    servers: tuple[str, ...]
    holders: tuple[int, ...]


def even_map(servers: Sequence[str], epoch: int = 1) -> ShardMap:
    """Runs of neighbouring shards, as equal as they come."""
    return ShardMap(epoch, tuple(servers), tuple(shard * len(servers) // SHARDS for shard in range(SHARDS)))


def shard_of(user_id: int) -> int:
    """The shard of an account and of all that is kept with it."""
    return user_id % SHARDS


def shard_of_name(name: bytes) -> int:
    """The shard of what is found by a name: directories, consumer groups, hashes of tokens."""
    return zlib.crc32(name) % SHARDS


def keyed(user_ids: Collection[int]) -> list[tuple[int, int]]:
    """(shard, id) of each, sorted and once: the order in which rows are locked everywhere."""
    return sorted({(user_id % SHARDS, user_id) for user_id in user_ids})


class Shards:
    """All servers of one map. Calls go to the servers concerned at once; answers come in the order of the question."""

    def __init__(self, servers: Sequence[Server], shard_map: ShardMap, journal: Journal, outbox: Outbox) -> None:
        by_name = {server.name: server for server in servers}
        self.servers = tuple(servers)
        self.map = shard_map
        self._holders = tuple(by_name[shard_map.servers[holder]] for holder in shard_map.holders)
        self._journal = journal
        self._outbox = outbox
        self._turns = _Turns(servers[0].timeout_s)

    @property
    def statements(self) -> int:
        """How many were sent to all servers."""
        return sum(server.statements for server in self.servers)

    def server(self, shard: int) -> Server:
        return self._holders[shard]

    async def read(self, shard: int, work: Callable[[Session], T]) -> T:
        """One call to the server of one shard."""
        return await self._holders[shard].read(work)

    async def read_all(self, work: Callable[[Session], T]) -> list[T]:
        """The same call to every server."""
        return await together([server.read(work) for server in self.servers])

    async def read_each(
        self, items: Sequence[I], shard: Callable[[I], int], work: Callable[[Session, Sequence[I]], Sequence[T]],
    ) -> list[T]:
        """`work` answers for the items of one server, in their order."""
        groups = self._grouped(items, shard)
        answers = await together([
            server.read(partial(_of_own, work, [items[at] for at in places])) for server, places in groups.items()
        ])
        return _ordered(len(items), groups.values(), answers)

    async def write(self, shard: int, work: Callable[[Session], T], turn: Collection[int] = ()) -> T:
        """One transaction on one shard's server, its events with it. `turn`: keys whose writes by this process keep their
        order."""
        async with self._turns.of(turn):
            answer, outgoing = await self._holders[shard].write(lambda session: self._told(session, work))
            self._say(outgoing)
            return answer

    async def write_each(
        self, items: Sequence[I], shard: Callable[[I], int], work: Callable[[Session, Sequence[I]], Sequence[T]],
        turn: Collection[int] = (),
    ) -> list[T]:
        """One transaction a server. Where one server fails, what others did stands and is told, and the error is raised."""
        groups = self._grouped(items, shard)
        places = list(groups.values())
        async with self._turns.of(turn):
            done = await asyncio.gather(*(
                server.write(partial(self._told, work=partial(_of_own, work, [items[at] for at in of_server])))
                for server, of_server in groups.items()
            ), return_exceptions=True)
            self._say([
                (of_server[index], outgoing)
                for of_server, one in zip(places, done, strict=True) if not isinstance(one, BaseException)
                for index, outgoing in one[1]
            ])
        return _ordered(len(items), places, [_raised(one)[0] for one in done])

    def _told(self, session: Session, work: Callable[[Session], T]) -> tuple[T, list[tuple[int, Outgoing]]]:
        answer = work(session)
        return answer, self._journal.store(session)

    def _say(self, told: list[tuple[int, Outgoing]]) -> None:
        if told:
            told.sort(key=lambda one: one[0])
            self._outbox.wrote([outgoing for _, outgoing in told])

    def _grouped(self, items: Sequence[I], shard: Callable[[I], int]) -> dict[Server, list[int]]:
        groups: dict[Server, list[int]] = {}
        for at, item in enumerate(items):
            groups.setdefault(self._holders[shard(item)], []).append(at)
        return groups


class _Turns:
    """Writes about the same key, one after the other in the order in which they came, so that their events are told in that
    order."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._last: dict[int, asyncio.Event] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, keys: Collection[int]) -> AsyncIterator[None]:
        """Comes when all that came before have ended; `StoreTimeout` where that takes too long."""
        mine = asyncio.Event()
        ahead = {self._last[key] for key in keys if key in self._last}
        self._last.update(dict.fromkeys(keys, mine))
        try:
            await self._wait(ahead)
            yield
        finally:
            if all(one.is_set() for one in ahead):
                self._end(mine, keys)
            else:  # given up: whoever is behind still waits for those ahead
                last = asyncio.get_running_loop().create_task(self._end_after(ahead, mine, keys))
                self._ending.add(last)
                last.add_done_callback(self._ending.discard)

    def _end(self, mine: asyncio.Event, keys: Collection[int]) -> None:
        mine.set()
        for key in keys:
            if self._last.get(key) is mine:
                del self._last[key]

    async def _end_after(self, ahead: Collection[asyncio.Event], mine: asyncio.Event, keys: Collection[int]) -> None:
        for one in ahead:
            await one.wait()
        self._end(mine, keys)

    async def _wait(self, ahead: Collection[asyncio.Event]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                for one in ahead:
                    await one.wait()
        except TimeoutError as error:
            what = f"mysql: writes about the same account took more than {self._timeout_s:g} s"
            raise StoreTimeout(what, meaning="nothing was written", try_="repeat") from error


def _of_own(work: Callable[[Session, Sequence[I]], Sequence[T]], own: Sequence[I], session: Session) -> Sequence[T]:
    return work(session, own)


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All of them at once; the first error is raised when all have ended."""
    return [_raised(one) for one in await asyncio.gather(*calls, return_exceptions=True)]


def _raised(outcome: T | BaseException) -> T:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _ordered(many: int, groups: Collection[Sequence[int]], answers: Sequence[Sequence[T]]) -> list[T]:
    ordered: list[Any] = [None] * many
    for places, of_server in zip(groups, answers, strict=True):
        for at, answer in zip(places, of_server, strict=True):
            ordered[at] = answer
    return ordered
