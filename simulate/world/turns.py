"""The world's time: a clock that may stand elsewhere and run faster, and turns, in which the population stands still.

Computed people tweet with no event. So that what a process keeps can be told old from new, they are heard once a turn: within a
turn nothing computed changes, and when the next one begins everything that was kept is forgotten (`EventLog.turn`).
"""

from __future__ import annotations

from ...core.clock import Clock
from ...core.errors import Invalid
from ...core.ids import EPOCH_MS

WINDOW_MS = 128  # of computed tweet ids: a turn is whole windows, so that a tweet belongs to one turn
TURN_MS = 8 * WINDOW_MS
SPEED_MAX = 1_000_000


class WorldClock:
    """`core.clock.Clock` that stood at `at_ms` when it was made and runs `speed` times as fast as `under`."""

    def __init__(self, under: Clock, at_ms: int, speed: float) -> None:
        if not 0 < speed <= SPEED_MAX:
            what = f"speed is {speed:g}"
            raise Invalid(what, field="speed", meaning=f"it must be above 0 and at most {SPEED_MAX:,}")
        self._under = under
        self._speed = speed
        self._at_us = at_ms * 1_000
        self._began_us = under.monotonic_us()

    def now_ms(self) -> int:
        return (self._at_us + int((self._under.monotonic_us() - self._began_us) * self._speed)) // 1_000

    def monotonic_us(self) -> int:
        return int((self._under.monotonic_us() - self._began_us) * self._speed)

    async def sleep(self, seconds: float) -> None:
        await self._under.sleep(seconds / self._speed)


class Turns:
    """Which turn it is. At a speed above 1 a turn is longer in the world, and as long for those who watch it."""

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self.turn_ms = TURN_MS * max(1, round(speed))

    def turn(self) -> int:
        """The number of the turn, from 0 in 2010."""
        return (self._clock.now_ms() - EPOCH_MS) // self.turn_ms

    def now_ms(self) -> int:
        """When this turn began: computed tweets before it are heard."""
        return EPOCH_MS + self.turn() * self.turn_ms

    def began_ms(self, ms: int) -> int:
        """When the turn of that moment began."""
        return ms - (ms - EPOCH_MS) % self.turn_ms
