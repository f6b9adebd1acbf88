"""Virtual time: an asyncio loop whose clock jumps to the next timer, so that the core's own code runs in simulated time.

The same program gives the same run, byte for byte: timers that are due together run in the order they were set, tasks hash by
serial number (sets of tasks, as `asyncio.wait`, TaskGroup and the Runner keep them, then have one order), and what would let the
real world in is refused: sockets, pipes, processes, threads. It never sleeps and never asks the machine what time it is.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from asyncio import base_events, events
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
FAR_S = float(1 << 31)  # 68 years: up to here a float of seconds still tells microseconds apart
COMPACT_AT = 1_000  # cancelled timers (most time-outs end so) are thrown out when this many, and half of all, are dead


class Deadlock(RuntimeError):
    """Everybody waits and nothing is due: no turn of the loop could change that."""


class TooFar(RuntimeError):
    """Virtual time would pass `FAR_S`, beyond which two close moments can no longer be told apart."""


class NumberedTask(asyncio.Task[T]):
    """A task whose hash is its serial number, not its address: a set of tasks has the same order in every run."""

    def __init__(self, coro: Coroutine[Any, Any, T], *, serial: int, **options: Any) -> None:
        self._serial = serial  # before the base: it puts the task into a set
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._serial

    def __eq__(self, other: object) -> bool:
        return self is other


class _Timer(asyncio.TimerHandle):
    """Ordered by time, then by when it was set: a heap alone keeps no order among equals."""

    __slots__ = ("serial",)
    serial: int

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.when(), self.serial) < (other.when(), other.serial)


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop without a selector: `time()` is virtual seconds from 0."""

    _ready: Any
    _scheduled: list[_Timer]
    _timer_cancelled_count: int
    _stopping: bool
    _thread_id: int | None

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._serials = itertools.count(1)
        self._timer_serials = itertools.count(1)
        self.set_task_factory(self._numbered)

    def time(self) -> float:
        return self._now_s

    def _numbered(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return NumberedTask(coro, loop=loop, serial=next(self._serials), **options)

    def call_at(  # type: ignore[override]  # typeshed's variadic generics
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if when > FAR_S:
            msg = f"a timer at {when:.0f} s; virtual time reaches {FAR_S:.0f} s (68 years)"
            raise TooFar(msg)
        timer = _Timer(when, callback, args, self, context)
        timer.serial = next(self._timer_serials)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's own mark on its own handle
        return timer

    def _run_once(self) -> None:
        """One turn: what is ready runs; when nothing is, time becomes that of the next timer."""
        self._compact()
        if not self._ready and not self._stopping:
            if not self._scheduled:
                msg = f"at {self._now_s:.6f} s everybody waits and no timer is set"
                raise Deadlock(msg)
            self._now_s = max(self._now_s, self._scheduled[0].when())
        while self._scheduled and self._scheduled[0].when() <= self._now_s:
            self._ready.append(self._pop())
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - what the base class calls here

    def _compact(self) -> None:
        """Throw out cancelled timers: those at the front always, all of them when they are many."""
        dead = self._timer_cancelled_count
        if dead > COMPACT_AT and dead * 2 > len(self._scheduled):
            self._scheduled = [timer for timer in self._scheduled if not timer.cancelled()]
            heapq.heapify(self._scheduled)
            self._timer_cancelled_count = 0
        while self._scheduled and self._scheduled[0].cancelled():
            self._pop()
            self._timer_cancelled_count -= 1

    def _pop(self) -> _Timer:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's own mark on its own handle
        return timer

    def call_soon_threadsafe(  # type: ignore[override]  # typeshed's variadic generics
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """From the loop's own thread only, as `asyncio.Runner` does on Ctrl-C; another thread is refused."""
        if self._thread_id is not None and self._thread_id != threading.get_ident():
            self._refuse()
        return self.call_soon(callback, *args, context=context)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        msg = "virtual time has no room for threads, sockets or processes: hand the core an inline Offload and modelled stores"
        raise RuntimeError(msg)

    run_in_executor = _refuse  # type: ignore[assignment]  # typeshed's variadic generics
    getaddrinfo = create_connection = create_server = create_datagram_endpoint = _refuse
    sock_connect = sock_accept = sock_recv = sock_sendall = _refuse
    add_reader = add_writer = _refuse  # type: ignore[assignment]  # typeshed's variadic generics
    subprocess_exec = subprocess_shell = connect_read_pipe = connect_write_pipe = _refuse


class VirtualClock:
    """`core.clock.Clock` on a virtual loop. `start_ms`: milliseconds since 1970 at the loop's time 0."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_us = start_ms * 1_000

    def now_ms(self) -> int:
        return (self._start_us + self.monotonic_us()) // 1_000

    def monotonic_us(self) -> int:
        return round(self._loop.time() * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(main: Callable[[VirtualLoop], Awaitable[T]]) -> T:
    """Run `main(loop)` in virtual time from 0 s to its end. Raises what it raises, `Deadlock`, `TooFar`; Ctrl-C stops it."""

    async def begin() -> T:
        loop = events.get_running_loop()
        assert isinstance(loop, VirtualLoop)  # noqa: S101 - made two lines below
        return await main(loop)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(begin())
