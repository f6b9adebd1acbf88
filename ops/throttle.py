"""Holding a job back: to a rate, and while what lies downstream of its writes lags. Never for anything it does not load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..core.clock import Clock
from ..core.errors import Stopped
from .plan import Options
from .procedure import Downstream

STEP_S = 0.1  # the longest sleep between two looks at the stop sign
LOOK_US = 250_000  # the lag is asked for at most this often


class Waiting(Protocol):
    """Told why the job waits."""

    def __call__(self, why: str) -> None:
        """`why` names what would change it."""


class Throttle:
    """Asked before each wave of batches."""

    def __init__(self, options: Options, clock: Clock, lag: Callable[[], Awaitable[Downstream]], stop: asyncio.Event) -> None:
        self._options = options
        self._clock = clock
        self._lag = lag
        self._stop = stop
        self._next_us = clock.monotonic_us()
        self._looked_us = self._next_us - LOOK_US
        self.last_lag_ms = -1
        self.waited_us = 0

    async def before(self, items: int, waiting: Waiting) -> bool:
        """Return true when `items` may go; false where a stop was asked for meanwhile.

        Raises `Stopped` after `max_wait_ms` of waiting for the lag in one piece.
        """
        began = self._clock.monotonic_us()
        try:
            if not await self._lag_is_low(waiting):
                return False
            return await self._rate_allows(items, waiting)
        finally:
            self.waited_us += self._clock.monotonic_us() - began

    async def _lag_is_low(self, waiting: Waiting) -> bool:
        began = self._clock.monotonic_us()
        while not self._stop.is_set():
            downstream = await self._look()
            if downstream is None or downstream.lag_ms is None or downstream.lag_ms <= self._options.max_lag_ms:
                return True
            waited_ms = (self._clock.monotonic_us() - began) // 1_000
            why = f"{downstream.name} lag {downstream.lag_ms / 1_000:.1f} s > {self._options.max_lag_ms / 1_000:g} s"
            if self._options.max_wait_ms and waited_ms >= self._options.max_wait_ms:
                what = f"waited {waited_ms / 1_000:.0f} s: {why}"
                raise Stopped(what, code="THROTTLED", meaning="stopped at a checkpoint; --max-wait bounds the waiting")
            waiting(f"{why}; --max-lag raises the bound")
            await self._clock.sleep(STEP_S)
        return False

    async def _look(self) -> Downstream | None:
        now = self._clock.monotonic_us()
        if not self._options.max_lag_ms or (now - self._looked_us < LOOK_US and self.last_lag_ms <= self._options.max_lag_ms):
            return None
        self._looked_us = now
        downstream = await self._lag()
        self.last_lag_ms = -1 if downstream.lag_ms is None else downstream.lag_ms
        return downstream

    async def _rate_allows(self, items: int, waiting: Waiting) -> bool:
        if not self._options.rate:
            return True
        while not self._stop.is_set():
            now = self._clock.monotonic_us()
            left_us = self._next_us - now
            if left_us <= 0:
                self._next_us = now + round(items * 1_000_000 / self._options.rate)
                return True
            if left_us > STEP_S * 1_000_000:
                waiting(f"--rate {self._options.rate:g}/s")
            await self._clock.sleep(min(STEP_S, left_us / 1_000_000))
        return False
