"""`twit ops audit`: recompute what should be, on a seeded sample, and name the cause of each difference. Reads only.

What differs is looked at again after the consumers have caught up: a difference that goes away was late, not wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ..core.clock import Clock
from ..core.errors import Invalid
from ..core.limits import Limits
from ..core.ports import Stores
from ..core.workers import GROUPS
from .audit_people import PeopleAudit
from .audit_timelines import TimelineAudit
from .batches import sampled
from .lag import wait
from .pending import Pending, pending
from .plan import Operator, Progress
from .procedure import Difference

if TYPE_CHECKING:
    from ..core.entries import Ids

CHECKS = ("timelines", "graph", "counts")
LOOKS_MAX = 3
CHUNK = 64  # items between two reports of progress
RESIDENTS = 4_096

Look = Callable[[int, Pending], Awaitable[list[Difference]]]


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found. `late` counts what was still on its way; `lag_ms` is what was left of the lag after waiting."""

    check: str
    population: int
    looked_at: int
    late: int
    lag_ms: int
    differences: tuple[Difference, ...]

    @property
    def causes(self) -> dict[str, int]:
        """How many differences of each cause."""
        return dict(sorted(Counter(one.cause for one in self.differences).items()))

    @property
    def items(self) -> tuple[int, ...]:
        """Who is concerned."""
        return tuple(sorted({one.item for one in self.differences}))


class Auditor:
    """One audit: a share of the population, a seed, and how long to wait for the consumers."""

    def __init__(
        self, stores: Stores, limits: Limits, clock: Clock, operator: Operator, *, share: float, seed: int, wait_ms: int,
    ) -> None:
        self._stores, self._limits, self._clock, self._operator = stores, limits, clock, operator
        self._share, self._seed, self._wait_ms = share, seed, wait_ms

    async def check(self, name: str) -> Audited:
        """Run one of `CHECKS`."""
        lags = await wait(self._stores, GROUPS, self._clock, self._wait_ms)
        if name == "timelines":
            timelines = TimelineAudit(self._stores, self._limits, self._clock, self._seed)
            everybody, look, audit = await self._residents(), timelines.look, timelines
            found, many = await self._look_at(name, everybody, look, audit)
            late = timelines.late
        else:
            people = PeopleAudit(self._stores)
            everybody = np.arange(1, await self._stores.accounts.count() + 1, dtype=np.int64)
            found, many = await self._look_at(name, everybody, people.graph if name == "graph" else people.counts, people)
            late = people.late
        lag_ms = max((lag.lag_ms or 0 for lag in lags if not lag.caught_up), default=0)
        return Audited(
            check=name, population=len(everybody), looked_at=many, late=late, lag_ms=lag_ms, differences=tuple(found),
        )

    async def _look_at(
        self, name: str, everybody: Ids, look: Look, audit: TimelineAudit | PeopleAudit
    ) -> tuple[list[Difference], int]:
        """Look at the sample, then again at those who differ."""
        sample = sampled(everybody, self._share, self._seed).tolist()
        found = await self._pass(name, sample, look)
        for _ in range(LOOKS_MAX - 1):
            if not found:
                break
            await wait(self._stores, GROUPS, self._clock, self._wait_ms)
            audit.forget()
            found = await self._pass("", sorted({one.item for one in found}), look)
        return found, len(sample)

    async def _pass(self, name: str, items: Sequence[int], look: Look) -> list[Difference]:
        found: list[Difference] = []
        began = self._clock.monotonic_us()
        for at in range(0, len(items), CHUNK):
            late = await pending(self._stores, GROUPS)
            for item in items[at : at + CHUNK]:
                found += await look(item, late)
            await self._clock.sleep(0)
            if name:
                self._tell(name, min(at + CHUNK, len(items)), len(items), began)
        return found

    def _tell(self, name: str, done: int, total: int, began_us: int) -> None:
        per_s = done * 1e6 / max(1, self._clock.monotonic_us() - began_us)
        self._operator.progress(Progress(
            run_id=f"audit {name}", unit="", done=done, total=total, per_s=per_s, eta_s=(total - done) / per_s, final=done == total,
        ))

    async def _residents(self) -> Ids:
        parts, after = [np.empty(0, np.int64)], 0
        while len(part := await self._stores.timelines.residents(after, RESIDENTS, self._clock.now_ms())):
            parts.append(part)
            after = int(part[-1])
        return np.concatenate(parts)


def checks_of(text: str) -> list[str]:
    """Parse `timelines,graph`; raises `Invalid` for an unknown one or none."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in CHECKS]
    if unknown or not names:
        what = f"no check named {unknown[0]!r}" if unknown else "no check named"
        raise Invalid(what, field="check", try_=f"--check {','.join(CHECKS)}")
    return names
