"""The bounds by which a compare-and-set and the batch after it hold together, although a process may die between the two.

Who wins a row stamps it (`claim_us`) and then writes the batch. A row whose batch did not come may be claimed anew once the
claim is older than `takeover_ms`; the first owner gives up long before. Both would write the same rows, so only counts suffer.
"""

from __future__ import annotations

from ...clock import Clock
from ...errors import StoreTimeout
from .cassandra_buckets import Stamps

FRESH_SHARE, TAKEOVER_SHARE = 0.25, 0.6  # of store_timeout_ms; a request's share lies between them
POLL_S = 0.02
TORN_MS = 10 * 60_000  # a batch that broke off with its server is finished within a minute of its return
LATE_MS = 4 * 3_600_000  # hints are kept for 3 h: no batch that was begun comes to light later than this


class Claims:
    """How old a claim is, and what follows from it."""

    def __init__(self, clock: Clock, stamps: Stamps, store_timeout_ms: int) -> None:
        self._clock = clock
        self.stamps = stamps
        self.fresh_ms = store_timeout_ms * FRESH_SHARE
        self.takeover_ms = store_timeout_ms * TAKEOVER_SHARE

    def now_ms(self) -> int:
        """The time that claims are stamped by."""
        return self._clock.now_ms()

    def check_fresh(self, claim_us: int) -> None:
        """Raise `StoreTimeout` where another may soon think us dead: a repeat completes it."""
        if self._clock.now_ms() - claim_us // 1_000 > self.fresh_ms:
            raise StoreTimeout("Cassandra: a claim took too long to win", try_="again: the repeat completes it")

    def lapsed(self, claim_us: int) -> bool:
        """Whether its owner must have given up."""
        return self._clock.now_ms() - claim_us // 1_000 >= self.takeover_ms

    def torn(self, claim_us: int) -> bool:
        """Whether some rows of its batch may not show yet, though others do: its owner has given up, and not long ago."""
        return self.lapsed(claim_us) and self._clock.now_ms() - claim_us // 1_000 < TORN_MS

    def forgotten(self, claim_us: int) -> bool:
        """Whether its batch cannot come to light any more: what it reserved may then be another's."""
        return self._clock.now_ms() - claim_us // 1_000 >= LATE_MS

    async def wait(self) -> None:
        """Give its owner a moment."""
        await self._clock.sleep(POLL_S)
