"""Holding a job back: while it is paused, to a rate, and while what lies downstream of its writes lags.

Never for anything that it does not load. Bounds that another terminal changes hold from the next look on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..core.clock import Clock
from ..core.errors import Stopped
from .procedure import Downstream
from .steering import Steering

STEP_S = 0.1  # the longest sleep between two looks at the stop sign
LOOK_US = 250_000  # the lag is asked for at most this often


class Waiting(Protocol):
    """Told why the job waits."""

    def __call__(self, why: str) -> None:
        """`why` names what would change it."""


class Throttle:
    """Asked before each wave of batches."""

    def __init__(self, steering: Steering, clock: Clock, lag: Callable[[], Awaitable[Downstream]], stop: asyncio.Event) -> None:
        self._steering = steering
        self._clock = clock
        self._lag = lag
        self._stop = stop
        self._went_us = clock.monotonic_us()
        self._went = 0  # items let through last, at `_went_us`
        self._looked_us = self._went_us - LOOK_US
        self.last_lag_ms = -1
        self.waited_us = 0

    async def before(self, items: int, waiting: Waiting) -> bool:
        """Return true when `items` may go; false where a stop was asked for meanwhile.

        Raises `Stopped` after `max_wait_ms` of waiting for the lag in one piece.
        """
        began = self._clock.monotonic_us()
        try:
            return await self._lag_is_low(waiting) and await self._rate_allows(items, waiting)
        finally:
            self.waited_us += self._clock.monotonic_us() - began

    async def _goes_on(self, waiting: Waiting) -> bool:
        """Wait while the run is paused, for as long as that takes."""
        while not self._stop.is_set():
            self._steering.look()
            if not self._steering.paused:
                return True
            waiting(f"paused by {self._steering.paused}; twit ops runs resume goes on")
            await self._clock.sleep(STEP_S)
        return False

    async def _lag_is_low(self, waiting: Waiting) -> bool:
        waited_us = 0
        while await self._goes_on(waiting):
            downstream, options = await self._look(), self._steering.options
            if downstream is None or downstream.lag_ms is None or downstream.lag_ms <= options.max_lag_ms:
                return True
            why = f"{downstream.name} lag {downstream.lag_ms / 1_000:.1f} s > {options.max_lag_ms / 1_000:g} s"
            if options.max_wait_ms and waited_us >= options.max_wait_ms * 1_000:
                what = f"waited {waited_us / 1e6:.0f} s: {why}"
                raise Stopped(what, code="THROTTLED", meaning="stopped at a checkpoint; --max-wait bounds the waiting")
            waiting(f"{why}; --max-lag, or twit ops runs set RUN max-lag=…, raises the bound")
            slept_us = self._clock.monotonic_us()
            await self._clock.sleep(STEP_S)
            waited_us += self._clock.monotonic_us() - slept_us
        return False

    async def _look(self) -> Downstream | None:
        now = self._clock.monotonic_us()
        bound_ms = self._steering.options.max_lag_ms
        if not bound_ms or (now - self._looked_us < LOOK_US and self.last_lag_ms <= bound_ms):
            return None
        self._looked_us = now
        downstream = await self._lag()
        self.last_lag_ms = -1 if downstream.lag_ms is None else downstream.lag_ms
        return downstream

    async def _rate_allows(self, items: int, waiting: Waiting) -> bool:
        while await self._goes_on(waiting):
            now, rate = self._clock.monotonic_us(), self._steering.options.rate
            left_us = self._went_us + self._went * 1_000_000 / rate - now if rate else 0
            if left_us <= 0:
                self._went_us, self._went = now, items
                return True
            if left_us > STEP_S * 1_000_000:
                waiting(f"--rate {rate:g}/s")
            await self._clock.sleep(min(STEP_S, left_us / 1_000_000))
        return False
