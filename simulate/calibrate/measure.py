"""Time the probes: rounds over all of them at each load, in an order of its own each round, so that a bad moment hits no kind alone.

A load is how many callers ask at once, each the next thing as soon as it is answered. What is measured is time of the
stores a call: elapsed over calls, so that what callers share (a commit) counts once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.limits import Limits
from ...core.ports import Stores
from ..day.counting import counted
from ..kinds import Counts, Kind
from .probes import Probe

Now = Callable[[], float]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Observed:
    """One probe in one round at one load: seconds a call."""

    probe: Probe
    load: int
    round: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was seen. `asked`: what each probe is, counted. `variation`: of calls of equal size, one caller."""

    observed: Sequence[Observed]
    asked: Mapping[str, Mapping[Kind, Counts]]
    variation: Mapping[str, float]
    calls: int


async def measure(
    stores: Stores, limits: Limits, asking: Sequence[Probe], *, loads: Sequence[int], rounds: int, slice_s: float, seed: int,
    now: Now, tell: Tell = lambda _, __, ___: None,
) -> Measured:  # fmt: skip
    """Ask everything `rounds` times at each load, about `slice_s` seconds each. `now`: a monotonic clock in seconds."""
    asked = await _counted(stores, limits, asking)
    turns = [(round_, load) for round_ in range(rounds) for load in loads]
    observed: list[Observed] = []
    alone: dict[str, list[float]] = {}
    calls, done = 0, 0
    for round_, load in turns:
        order = list(asking)
        random.Random(f"{seed}/{round_}/{load}").shuffle(order)
        for probe in order:
            seconds, each, one_by_one = await _slice(probe, stores, load, slice_s, now)
            observed.append(Observed(probe, load, round_, seconds))
            if load == 1:
                alone.setdefault(probe.name, []).extend(one_by_one)
            calls, done = calls + each, done + 1
            tell("slices", done, len(turns) * len(asking))
    return Measured(observed, asked, {name: spread(np.array(times)) for name, times in alone.items()}, calls)


async def _counted(stores: Stores, limits: Limits, asking: Sequence[Probe]) -> dict[str, dict[Kind, Counts]]:
    """What each probe asks for; which also warms what it touches."""
    counting, tally = counted(stores, limits)
    asked = {}
    for probe in asking:
        tally.take()
        await probe.call(counting)
        asked[probe.name] = tally.take()
    return asked


async def _slice(probe: Probe, stores: Stores, load: int, slice_s: float, now: Now) -> tuple[float, int, list[float]]:
    """Seconds a call, how many calls, and how long each took where there was one caller."""
    times: list[float] = []
    until = now() + slice_s

    async def caller() -> int:
        calls = 0
        began = now()
        while began < until or calls < 2:
            await probe.call(stores)
            ended = now()
            times.append(ended - began)
            began, calls = ended, calls + 1
            if load > 1:
                await asyncio.sleep(0)  # others are to ask too, also of stores that answer at once
        return calls

    began = now()
    calls = sum(await asyncio.gather(*(caller() for _ in range(load))))
    return (now() - began) / calls, calls, times


def spread(times: NDArray[np.float64]) -> float:
    """Coefficient of variation, without the one call in two hundred that something else delayed."""
    kept = np.sort(times)[: max(2, int(0.995 * times.size))]
    return float(kept.std() / kept.mean())
