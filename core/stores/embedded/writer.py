"""One writer a process: a queue, a thread, and group commit.

`run(work)` hands over a function of the connection. The thread runs all that wait inside one transaction and commits once for
all; only then do they get their answers, in one wake-up of the loop. Work must depend on nothing but the database
and its own arguments, since a batch in which one fails after it wrote is rolled back and run again one by one.
It never hangs a caller: the queue and every wait have bounds, and a writer that dies fails everyone who waits and everyone
who comes later.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from ...errors import StoreDown, StoreError, StoreTimeout
from ...limits import Limits

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]
Waiting: TypeAlias = "tuple[Work[Any] | None, asyncio.Future[Any]]"  # no work: the last of all
Outcome: TypeAlias = tuple[Any, Exception | None]


class Writer:
    """Commits in groups on a thread of its own, or, `inline`, each at once on the caller's thread.

    `appended` are called after each commit, on the loop, before the waiters go on.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        translated: Callable[[sqlite3.Error], StoreError],
        limits: Limits,
        *,
        inline: bool,
    ) -> None:
        self.appended: list[Callable[[], None]] = []
        self._connection = connection
        self._translated = translated
        self._timeout_s = limits.store_timeout_ms / 1000
        self._queue_max = limits.write_queue_max
        self._batch_max = limits.write_batch_max
        self._queue: deque[Waiting] = deque()
        self._awaited: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._wake = threading.Event()
        self._dead = ""
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._live, name="twit-writer", daemon=True)
            self._thread.start()

    @property
    def dead(self) -> str:
        """Why it writes no more; "" while it does."""
        return self._dead

    async def run(self, work: Work[T]) -> T:
        """Run `work` in the next commit and return what it returned, or raise what it raised, after the commit.

        Raises `StoreTimeout` after `store_timeout_ms` (the write may or may not stand), or at once when the queue is full.
        """
        if self._dead:
            raise StoreDown(self._dead)
        if self._thread is None:
            return self._run_inline(work)
        if len(self._queue) >= self._queue_max:
            what = f"{self._queue_max} writes are waiting already"
            raise StoreTimeout(what, meaning="nothing was written", try_="again in a moment")
        future: asyncio.Future[T] = self._enqueue(work)
        return await future

    async def close(self) -> None:
        """Write what is queued, then let the connection go. More than once is harmless."""
        thread, self._thread = self._thread, None
        if thread is not None and not self._dead:
            written = self._enqueue(None)
            self._dead = "the stores are closed"
            await written
            thread.join(self._timeout_s)
        self._dead = self._dead or "the stores are closed"
        if self._watch is not None:
            self._watch.cancel()
        if thread is None or not thread.is_alive():
            self._connection.close()

    def _enqueue(self, work: Work[Any] | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if loop is not self._loop:
            self._loop, self._watch = loop, None
            self._awaited.clear()
        self._awaited.append((loop.time() + self._timeout_s, future))
        if self._watch is None:
            self._watch = loop.call_later(self._timeout_s, self._expire)
        self._queue.append((work, future))
        if not self._wake.is_set():
            self._wake.set()
        if self._dead:  # it died after the caller looked
            self._fail_waiting()
        return future

    def _expire(self) -> None:
        """Fail those who have waited too long. One timer serves all, since they wait in order."""
        loop = asyncio.get_running_loop()
        awaited, now = self._awaited, loop.time()
        while awaited and (awaited[0][1].done() or awaited[0][0] <= now):
            _, future = awaited.popleft()
            if not future.done():
                what = f"no commit within {self._timeout_s:g} s"
                future.set_exception(StoreTimeout(what, meaning="the write may or may not stand", try_="read it back"))
        self._watch = loop.call_at(awaited[0][0], self._expire) if awaited else None

    def _run_inline(self, work: Work[T]) -> T:
        ((result, error),) = self._commit([work])
        for call in self.appended:
            call()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # what `work` returned

    # on the thread

    def _live(self) -> None:
        batch: list[Waiting] = []
        try:
            while True:
                batch = self._take()
                works = [work for work, _ in batch if work is not None]
                outcomes = self._commit(works) if works else []
                last = len(outcomes) < len(batch)
                self._answer(batch, [*outcomes, (None, None)] if last else outcomes)
                if last:
                    return
        except BaseException as error:  # noqa: BLE001  # whatever ends the thread must reach those who wait for it
            self._dead = f"the writer died: {error!r}"
            self._answer(batch, [(None, StoreDown(self._dead)) for _ in batch])
            self._fail_waiting()

    def _take(self) -> list[Waiting]:
        """Wait for work; then all that waits, up to a batch, less those who gave up before it began."""
        queue = self._queue
        batch: list[Waiting] = []
        while not batch:
            while not queue:
                self._wake.clear()
                if queue:
                    break
                self._wake.wait()
            while queue and len(batch) < self._batch_max:
                waiting = queue.popleft()
                if not waiting[1].done():
                    batch.append(waiting)
                if waiting[0] is None:
                    break
        return batch

    def _commit(self, works: Sequence[Work[Any]]) -> list[Outcome]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = self._together(works)
            if outcomes is None:
                self._roll_back()
                connection.execute("BEGIN IMMEDIATE")
                outcomes = [self._apart(work) for work in works]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return [(None, self._translated(error)) for _ in works]
        return outcomes

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _together(self, works: Sequence[Work[Any]]) -> list[Outcome] | None:
        """Run all without savepoints; `None` if one failed after it wrote, so that what it wrote must go."""
        connection = self._connection
        outcomes: list[Outcome] = []
        for work in works:
            before = connection.total_changes
            try:
                outcomes.append((work(connection), None))
            except Exception as error:  # noqa: BLE001  # belongs to the one who handed the work in
                if connection.total_changes != before or not connection.in_transaction:
                    return None
                outcomes.append((None, self._translated(error) if isinstance(error, sqlite3.Error) else error))
        return outcomes

    def _apart(self, work: Work[Any]) -> Outcome:
        connection = self._connection
        connection.execute("SAVEPOINT one")
        try:
            result = work(connection)
        except Exception as error:
            if not connection.in_transaction:  # the database gave up the whole batch
                raise
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
            return None, self._translated(error) if isinstance(error, sqlite3.Error) else error
        connection.execute("RELEASE one")
        return result, None

    def _answer(self, batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        """Hand the outcomes over with one wake-up of each loop: all but always there is one."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            by_loop.setdefault(future.get_loop(), []).append((future, outcome))
        for loop, answers in by_loop.items():
            with contextlib.suppress(RuntimeError):  # a closed loop has nobody waiting
                loop.call_soon_threadsafe(self._deliver, answers)

    def _deliver(self, answers: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
        for call in self.appended:
            call()
        for future, (result, error) in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        while self._awaited and self._awaited[0][1].done():
            self._awaited.popleft()

    def _fail_waiting(self) -> None:
        while self._queue:
            with contextlib.suppress(IndexError):  # the thread and the loop may both be at it
                waiting = self._queue.popleft()
                self._answer([waiting], [(None, StoreDown(self._dead))])
