"""How far behind the consumers are, in seconds first. A lag that cannot be told is `unknown`, which is a value and never zero.

Reads only.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence

import msgspec

from ..core.clock import Clock
from ..core.errors import Invalid, StoreError
from ..core.ports import Stores
from .durations import duration_ms

LOOK_S = 0.05  # between two looks while waiting
_CONDITION = re.compile(r"\s*([a-z][a-z0-9_-]*)\s*(>=|>)\s*(\d[^<>=]*)")
_COMPARE = {">": operator.gt, ">=": operator.ge}


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Of one group. `lag_ms` `None` is unknown, and `why` then says why."""

    group: str
    lag_ms: int | None
    events: int = 0
    work: int = 0
    parked: int = 0
    owner: str = ""
    why: str = ""

    @property
    def caught_up(self) -> bool:
        """Whether nothing is left to do. Parked events are out of the way and do not count."""
        return self.lag_ms is not None and not self.events and not self.work


class Condition(msgspec.Struct, frozen=True):
    """`fanout>10s`: a group, or `any`, and a bound. What is unknown breaks every bound."""

    group: str
    sign: str
    bound_ms: int

    def broken_by(self, lag: Lag) -> bool:
        """Whether this group breaks it."""
        if self.group not in {lag.group, "any"}:
            return False
        return lag.lag_ms is None or _COMPARE[self.sign](lag.lag_ms, self.bound_ms)


async def lags(stores: Stores, groups: Sequence[str], now_ms: int) -> list[Lag]:
    """The lag of each group, in order."""
    return [await _lag(stores, group, now_ms) for group in groups]


async def wait(stores: Stores, groups: Sequence[str], clock: Clock, wait_ms: int) -> list[Lag]:
    """Return as soon as all groups have caught up, or after `wait_ms`: the caller looks which."""
    until_us = clock.monotonic_us() + wait_ms * 1_000
    while True:
        found = await lags(stores, groups, clock.now_ms())
        if all(lag.caught_up for lag in found) or clock.monotonic_us() >= until_us:
            return found
        await clock.sleep(LOOK_S)


def condition(text: str, groups: Sequence[str]) -> Condition:
    """Parse `GROUP>DURATION` or `any>DURATION`. Raises `Invalid`."""
    match = _CONDITION.fullmatch(text)
    if match is None or match[1] not in {*groups, "any"}:
        what = f"{text!r} is not a condition"
        raise Invalid(what, field="fail_if", try_=f"one of {', '.join(groups)} or any, then > or >=, then a duration: fanout>10s")
    return Condition(match[1], match[2], duration_ms(match[3], "fail_if"))


async def _lag(stores: Stores, group: str, now_ms: int) -> Lag:
    try:
        found = (await stores.log.lag((group,), now_ms))[0]
    except StoreError as error:
        return Lag(group=group, lag_ms=None, why=str(error))
    return Lag(
        group=group, lag_ms=found.lag_ms, events=found.events, work=found.work, parked=found.parked, owner=found.owner,
    )
