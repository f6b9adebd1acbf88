"""Work off the loop: threads here, inline on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Runs blocking work without holding the loop."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` and return what it returns, or raise what it raises."""

    def close(self) -> None:
        """Wait for what runs, then refuse more."""


class ThreadOffload:
    """A bounded pool of its own, never the loop's shared default."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="twit-offload")

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        self._pool.shutdown(wait=True)


class InlineOffload:
    """Runs at once on the loop: deterministic."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()

    def close(self) -> None:
        """Nothing runs behind."""
