"""Time, as the core is handed it. Nothing else in the core may ask what time it is."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for ids and records, monotonic time for durations, and waiting."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""

    def monotonic_us(self) -> int:
        """Microseconds from an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait, at least 0 s."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Stands still until moved: for tests and for dating imported rows.

    `sleep` moves the clock itself and yields once, so that code which waits makes progress without waiting.
    """

    def __init__(self, now_ms: int) -> None:
        self._now_us = now_ms * 1_000

    def now_ms(self) -> int:
        return self._now_us // 1_000

    def monotonic_us(self) -> int:
        return self._now_us

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, at least 0."""
        if seconds < 0:
            msg = "time does not go back"
            raise ValueError(msg)
        self._now_us += round(seconds * 1_000_000)
