"""Statements on the loop: the driver's futures brought back, so many at once, each with a time limit and its errors as ours.

Knows no table. No thread waits for an answer: the driver's one reactor thread puts results in a queue and wakes the loop once
for all that came together.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar

from cassandra.cluster import ResponseFuture
from cassandra.query import BatchStatement, BatchType

from ...errors import StoreDown, StoreError, StoreTimeout
from .cassandra_driver import COUNTS, READ, REQUEST_SHARE, WRITE, Driver, translate

T = TypeVar("T")
R = TypeVar("R")

IN_FLIGHT_MAX = 128  # of a process; measured: 32 are 20 % slower, more only wait in the server
WIDTH = 32  # statements that one call has under way at once, so that none keeps the others out
TRIES = 3
RETRY_SHARE = 0.1  # of what succeeds may be tried again: a store in trouble is not asked three times as much
RETRIES_SAVED_MAX = 10.0
BACKOFF_S = 0.02

Bound = tuple[str, Sequence[Any]]  # a prepared statement's name and its values


async def spread(function: Callable[[T], Awaitable[R]], items: Sequence[T], width: int = WIDTH) -> list[R]:
    """`function` of each, at most `width` at once, answers in order. The first error is raised once all others have ended."""
    if len(items) == 1:
        return [await function(items[0])]
    answers: list[Any] = [None] * len(items)
    todo = iter(enumerate(items))  # one for all workers: each takes what is next
    failed: list[BaseException] = []

    async def work() -> None:
        for place, item in todo:
            try:
                answers[place] = await function(item)
            except BaseException as error:
                failed.append(error)
                raise
            if failed:
                return

    await asyncio.gather(*(work() for _ in range(min(width, len(items)))), return_exceptions=True)
    if failed:
        raise failed[0]
    return answers


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """In pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


class CassandraSession:
    """What the stores run their statements through. Counts them: `statements` all, `conditional` those with a Paxos round."""

    def __init__(self, driver: Driver, store_timeout_ms: int) -> None:
        self.driver = driver
        self.timeout_s = store_timeout_ms / 1_000
        self.statements = 0
        self.conditional = 0
        self.lost_counts = 0  # changes of counters that got no answer: `recount` repairs
        self.written: set[str] = set()  # names of the prepared writes that were run, for who has to know what was touched
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._loop = asyncio.get_running_loop()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False
        self._retries = RETRIES_SAVED_MAX
        self._chance = random.Random()

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Everything within is one call of a store: `StoreTimeout` after `store_timeout_ms`."""
        try:
            async with asyncio.timeout(self.timeout_s):
                yield
        except TimeoutError as error:
            raise StoreTimeout(f"Cassandra: not done within {self.timeout_s:g} s") from error

    def limited(self, elements: int) -> AbstractAsyncContextManager[None]:
        """`bounded` for a call of a few elements; a larger one is bounded part by part, each of which is its own durable step."""
        return self.bounded() if elements <= WIDTH else nullcontext()

    async def read(self, name: str, values: Sequence[Any], profile: str = READ) -> list[tuple[Any, ...]]:
        """Rows; tried again within the budget."""
        rows: list[tuple[Any, ...]] = await self._again(lambda: self._send(self.driver.prepared[name], values, profile))
        return rows

    async def read_counts(self, name: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The same from one replica: for counts, which are late anyway."""
        return await self.read(name, values, COUNTS)

    async def write(self, bound: Sequence[Bound]) -> None:
        """All or nothing, in the end: one logged batch, or the statement itself where there is only one. Every statement
        carries its own timestamp, so that it can be tried again."""
        if len(bound) == 1:
            name, values = bound[0]
            self.written.add(name)
            await self._again(lambda: self._send(self.driver.prepared[name], values, WRITE))
        elif bound:
            batch = self._batch(BatchType.LOGGED, bound)
            await self._again(lambda: self._send(batch, None, WRITE))

    async def compare(self, bound: Sequence[Bound]) -> bool:
        """Conditional statements of one partition: all take place, or none. Never tried again: an answer that does not come
        leaves open whether they did."""
        self.conditional += 1
        for name, _ in bound:
            self.written.add(name)
        if len(bound) == 1:
            rows = await self._send(self.driver.prepared[bound[0][0]], bound[0][1], WRITE)
        else:
            rows = await self._send(self._batch(BatchType.UNLOGGED, bound), None, WRITE)
        return bool(rows[0][0])

    async def count(self, bound: Sequence[Bound]) -> bool:
        """Change counters; false where one got no answer. They are not idempotent, so never again; one that is lost must not
        fail what it counts."""

        async def one(item: Bound) -> bool:
            self.written.add(item[0])
            try:
                async with asyncio.timeout(self.timeout_s * REQUEST_SHARE):
                    await self._send(self.driver.prepared[item[0]], item[1], WRITE)
            except (StoreError, TimeoutError):
                self.lost_counts += 1
                return False
            return True

        return all(await spread(one, bound)) if bound else True

    async def drain(self) -> None:
        """Wait until nothing is under way, at most one store timeout."""
        slots = [asyncio.ensure_future(self._slots.acquire()) for _ in range(IN_FLIGHT_MAX)]
        _, late = await asyncio.wait(slots, timeout=self.timeout_s)
        for one in slots:
            if one in late:
                one.cancel()
            else:
                self._slots.release()

    def _batch(self, kind: BatchType, bound: Iterable[Bound]) -> BatchStatement:
        batch = BatchStatement(kind)
        for name, values in bound:
            self.written.add(name)
            batch.add(self.driver.prepared[name], values)
        return batch

    async def _again(self, send: Callable[[], Awaitable[T]]) -> T:
        for number in range(1, TRIES + 1):
            try:
                answer = await send()
            except (StoreDown, StoreTimeout):
                if number == TRIES or self._retries < 1:
                    raise
                self._retries -= 1
                await asyncio.sleep(BACKOFF_S * number * (0.5 + self._chance.random()))
            else:
                self._retries = min(RETRIES_SAVED_MAX, self._retries + RETRY_SHARE)
                return answer
        raise AssertionError

    async def _send(self, statement: Any, values: Sequence[Any] | None, profile: str) -> Any:
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreTimeout(f"Cassandra: {IN_FLIGHT_MAX} requests are under way, none came free") from error
        try:
            self.statements += 1
            return await self._answer(self.driver.session.execute_async(statement, values, execution_profile=profile))
        except Exception as error:
            ours = translate(error)
            if ours is None:
                raise
            raise ours from error
        finally:
            self._slots.release()

    def _answer(self, response: ResponseFuture) -> asyncio.Future[Any]:
        waiting = self._loop.create_future()
        response.add_callbacks(
            lambda rows: self._arrived(waiting, rows, None), lambda error: self._arrived(waiting, None, error),
        )  # fmt: skip
        return waiting

    def _arrived(self, waiting: asyncio.Future[Any], rows: Any, error: BaseException | None) -> None:
        """On one of the driver's threads. `_drain` lowers the flag before it looks, so nothing stays behind; a wake-up too many
        does no harm."""
        self._done.append((waiting, rows, error))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop is closed: nobody waits
                self._done.clear()

    def _drain(self) -> None:
        self._woken = False
        while self._done:
            waiting, rows, error = self._done.popleft()
            if waiting.done():
                continue
            if error is None:
                waiting.set_result(rows)
            else:
                waiting.set_exception(error)
