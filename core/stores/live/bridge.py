"""Blocking drivers off the loop: one bounded executor a store, results back on the loop, every wait bounded.

A driver's own time-outs must lie below `timeout_ms`, so that its thread comes back: what is abandoned here still holds one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ...errors import StoreDown, StoreError, StoreTimeout, TwitError

P = ParamSpec("P")
T = TypeVar("T")

WAITING_MAX = 1_024  # calls that run or wait for a thread; past it they are refused at once


class Bridge:
    """`translate` turns a driver's exception into ours; `None` where it does not know it, which is a bug and raised as it is."""

    def __init__(self, name: str, threads: int, timeout_ms: int, translate: Callable[[BaseException], StoreError | None]) -> None:
        self.name = name
        self.timeout_s = timeout_ms / 1_000
        self._translate = translate
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"twit-{name}")
        self._waiting = 0
        self._closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it on a thread. Raises `StoreTimeout` (no answer in time, or too many wait), `StoreDown` (closed), and what `translate`
        makes of errors."""
        if self._closed:
            raise StoreDown(f"{self.name}: the store is closed")
        if self._waiting >= WAITING_MAX:
            raise StoreTimeout(f"{self.name}: {WAITING_MAX} calls wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))
        except TimeoutError as error:
            raise StoreTimeout(f"{self.name}: no answer within {self.timeout_s:g} s") from error
        except TwitError:
            raise
        except Exception as error:
            ours = self._translate(error)
            if ours is None:
                raise
            raise ours from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let what runs come to its end, and take nothing more. More than once is harmless."""
        self._closed = True
        self._pool.shutdown(wait=True)


def down(name: str, error: BaseException) -> StoreDown:
    """What is said where a server cannot be reached."""
    return StoreDown(f"{name}: {error}", try_="twit context check")
