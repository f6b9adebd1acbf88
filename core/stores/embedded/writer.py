"""One writer a process: a bounded queue and group commit, with a thread for what blocks.

`run(work)` hands over a function of the connection. All that wait run in one transaction and are answered after its commit,
which is for all of them. Work runs on the loop, in slices, and only the commit (which waits for the disk) and waiting
for another process's lock run on the thread: each statement lets go of the interpreter's lock, and a thread that must win it back
from a busy loop for each of them is a hundred times slower (measured: 32 posts/s instead of 5,000). Work that says it is `long` runs
on the thread as a whole.

Work must depend on nothing but the database and its own arguments, since a group in which one fails after it wrote is rolled
back and run again. Nobody hangs: the queue and every wait have bounds, and a writer that dies fails everyone who waits and
everyone who comes later.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ...errors import StoreDown, StoreError, StoreTimeout
from ...limits import Limits
from .transactions import Outcome, Transactions, Work

T = TypeVar("T")
Job: TypeAlias = "tuple[Callable[[], Any], Callable[[Any], None], asyncio.AbstractEventLoop]"

LONG = 64  # elements of one call past which its work is long
SLICE = 32  # works run in one go on the loop: under a millisecond of tweets
CLOSED = "the stores are closed"


class Waiting(NamedTuple):
    work: Work[Any]
    future: asyncio.Future[Any]
    long: bool


class Writer:
    """Commits in groups, or, `inline`, each work at once on the caller's thread with no thread behind.

    `appended` are called after each commit, on the loop, before the waiters go on.
    """

    def __init__(self, transactions: Transactions, limits: Limits, *, inline: bool) -> None:
        self.appended: list[Callable[[], None]] = []
        self._transactions = transactions
        self._timeout_s = limits.store_timeout_ms / 1000
        self._queue_max = limits.write_queue_max
        self._group_max = limits.write_batch_max
        self._queue: deque[Waiting] = deque()
        self._group: list[Waiting] = []
        self._outcomes: list[Outcome] = []
        self._running = self._scheduled = False
        self._awaited: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dead = ""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._live, name="twit-writer", daemon=True)
            self._thread.start()

    @property
    def dead(self) -> str:
        """Why it writes no more; "" while it does."""
        return self._dead

    async def run(self, work: Work[T], *, long: bool = False) -> T:
        """Run `work` in the next commit and return what it returned, or raise what it raised, after the commit.

        `long`: it may take more than some milliseconds. Raises `StoreTimeout` after `store_timeout_ms` (the write may or may not
        stand), or at once when the queue is full.
        """
        if self._dead:
            raise StoreDown(self._dead)
        if self._thread is None:
            return self._run_inline(work)
        if len(self._queue) >= self._queue_max:
            what = f"{self._queue_max} writes are waiting already"
            raise StoreTimeout(what, meaning="nothing was written", try_="again in a moment")
        future: asyncio.Future[T] = self._enqueue(work, long=long)
        return await future

    async def close(self) -> None:
        """Write what is queued, then let the connection go. More than once is harmless."""
        thread, self._thread = self._thread, None
        if thread is not None and not self._dead:
            written = self._enqueue(lambda _: None, long=False)
            self._dead = CLOSED
            with contextlib.suppress(StoreError):  # too much to write in the time there is: their callers are told
                await written
            self._jobs.put(None)
            thread.join(self._timeout_s)
        self._dead = self._dead or CLOSED
        if self._watch is not None:
            self._watch.cancel()
        if thread is None or not thread.is_alive():
            self._transactions.close()

    def _run_inline(self, work: Work[T]) -> T:
        ((result, error),) = self._transactions.whole(work)
        for call in self.appended:
            call()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # what `work` returned

    # the queue

    def _enqueue(self, work: Work[Any], *, long: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._adopt(loop)
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.append(Waiting(work, future, long))
        self._awaited.append((loop.time() + self._timeout_s, future))
        if self._watch is None:
            self._watch = loop.call_later(self._timeout_s, self._expire)
        if not self._running and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start)
        return future

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Another loop than before: whoever waited on the old one is gone, and what it left half done is taken back."""
        self._loop, self._watch, self._scheduled = loop, None, False
        self._awaited.clear()
        self._queue.clear()
        self._group = []
        if self._running:
            self._hand(self._transactions.roll_back, lambda _: self._answer([]))

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

    def _next(self, *, long: bool) -> Waiting | None:
        """The next in the queue if it is of that kind; those who gave up before it began are passed over."""
        queue = self._queue
        while queue and queue[0].future.done():
            queue.popleft()
        return queue.popleft() if queue and queue[0].long is long else None

    # one group, from its first work to the answers

    def _start(self) -> None:
        self._scheduled = False
        if self._running:
            return
        self._running, self._group, self._outcomes = True, [], []
        alone = self._next(long=True)
        if alone is not None:
            self._group = [alone]
            self._hand(partial(self._transactions.whole, alone.work), self._answer)
        elif self._transactions.begin_now():
            self._slice()
        else:
            self._hand(self._transactions.begin, self._begun)

    def _begun(self, error: Exception | None) -> None:
        if error is None:
            self._slice()
            return
        while len(self._group) < self._group_max and (waiting := self._next(long=False)) is not None:
            self._group.append(waiting)
        self._answer([(None, error) for _ in self._group])

    def _slice(self) -> None:
        for _ in range(SLICE):
            waiting = self._next(long=False)
            if waiting is None:
                self._hand(self._transactions.commit, self._committed)
                return
            self._group.append(waiting)
            outcome = self._transactions.attempt(waiting.work)
            if outcome is None:
                self._transactions.roll_back()
                self._hand(partial(self._transactions.apart, [one.work for one in self._group]), self._answer)
                return
            self._outcomes.append(outcome)
        if len(self._group) < self._group_max and self._loop is not None:
            self._loop.call_soon(self._back, self._loop, lambda _: self._slice(), None)
        else:
            self._hand(self._transactions.commit, self._committed)

    def _committed(self, error: Exception | None) -> None:
        self._answer(self._outcomes if error is None else [(None, error) for _ in self._group])

    def _answer(self, outcomes: Sequence[Outcome]) -> None:
        group, self._group, self._running = self._group, [], False
        for call in self.appended:
            call()
        for (_, future, _), (result, error) in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        while self._awaited and self._awaited[0][1].done():
            self._awaited.popleft()
        if self._queue:
            self._start()

    # the thread

    def _hand(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Run `job` on the thread, then `then` with what it returned on the loop."""
        if self._loop is not None:
            self._jobs.put((job, then, self._loop))

    def _back(self, loop: asyncio.AbstractEventLoop, then: Callable[[Any], None], returned: Any) -> None:
        if loop is self._loop and not (self._dead and self._dead != CLOSED):
            then(returned)

    def _live(self) -> None:
        while (found := self._jobs.get()) is not None:
            job, then, loop = found
            try:
                returned = job()
            except BaseException as error:  # noqa: BLE001  # whatever ends the thread must reach those who wait for it
                self._dead = f"the writer died: {error!r}"
                with contextlib.suppress(RuntimeError):  # a closed loop has nobody waiting
                    loop.call_soon_threadsafe(self._fail_all)
                return
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._back, loop, then, returned)

    def _fail_all(self) -> None:
        waiting = [*self._group, *self._queue]
        self._group, self._queue = [], deque()
        for _, future, _ in waiting:
            if not future.done():
                future.set_exception(StoreDown(self._dead))
