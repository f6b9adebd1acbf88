"""When in a day people are there: a curve of local time, shifted by region, so that the *sum* has the published peak and trough.

Three shifted curves of peak 1.62 sum to about 1.27: so each region's own curve is steeper than the world's. Curves hold one
value a minute, in UTC, with mean 1. There is no weekend in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compiled import njit
from .params import Params, Region

Floats = npt.NDArray[np.float64]

MINUTES = 1440
DAY_MS = 86_400_000
GUIDE = 2048
CLOCK_CELLS = MINUTES + 1 + GUIDE + 1  # per region: cumulative minutes, then the minute at which a share of the day is reached
EVENING, SHOULDER, SHOULDER_WEIGHT = 20.0, 13.0, 0.35  # local hours of the shape; its steepness is fitted
STEEPEST = 14.0


class Curves(NamedTuple):
    """`by_region` has the shape (regions, 1440); `world` is their sum weighted by accounts."""

    by_region: Floats
    world: Floats
    steepness: float
    floor: float

    @property
    def peak(self) -> float:
        """Of the world, over its mean."""
        return float(self.world.max())

    @property
    def trough(self) -> float:
        """Of the world, over its mean."""
        return float(self.world.min())


def curves(params: Params, *, stress: bool = False) -> Curves:
    """The day of each region. `stress`: all made steeper by one power until the world's peak is `clock.stress_peak`."""
    fitted = _fitted(params.regions, params["clock.peak"], params["clock.trough"])
    if not stress:
        return fitted
    power = _bisected(lambda p: _powered(params.regions, fitted, p).peak, params["clock.stress_peak"], 0.0, 60.0)
    return _powered(params.regions, fitted, power)


def clock_cells(found: Curves) -> Floats:
    """The tables that the kernels below read: `CLOCK_CELLS` per region."""
    cells = []
    for curve in found.by_region:
        reached = np.concatenate(([0.0], np.cumsum(curve)))
        reached /= reached[-1]
        guide = np.searchsorted(reached, np.arange(GUIDE + 1) / GUIDE, side="right") - 1
        cells.append(np.concatenate((reached, np.minimum(guide, MINUTES - 1))))
    return np.concatenate(cells)


@njit
def ms_of_share(act: Floats, base: int, share: float) -> int:
    """The millisecond of the day by which `share` in [0, 1) of a region's day has happened. O(1)."""
    minute = int(act[base + MINUTES + 1 + int(share * GUIDE)])
    while minute < MINUTES - 1 and act[base + minute + 1] <= share:
        minute += 1
    start = act[base + minute]
    within = (share - start) / (act[base + minute + 1] - start)
    return min(DAY_MS - 1, int((minute + within) * 60_000.0))


@njit
def share_of_ms(act: Floats, base: int, ms: int) -> float:
    """How much of a region's day has happened by that millisecond. O(1)."""
    minute = ms // 60_000
    start = act[base + minute]
    return float(start + (act[base + minute + 1] - start) * ((ms - minute * 60_000) / 60_000.0))


def _fitted(regions: tuple[Region, ...], peak: float, trough: float) -> Curves:
    """The floor of the night moves the trough, the steepness the peak: one bisection inside another."""

    def with_floor(floor: float) -> Curves:
        steepness = _bisected(lambda k: _summed(regions, k, floor).peak, peak, 0.0, STEEPEST)
        return _summed(regions, steepness, floor)

    return with_floor(_bisected(lambda floor: with_floor(floor).trough, trough, 0.0, 0.95))


def _bisected(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a rising function meets the target; the nearer end where it does not."""
    for _ in range(26):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


def _local(steepness: float, floor: float) -> Floats:
    hours = np.arange(MINUTES) / 60
    shape = np.cos(2 * math.pi * (hours - EVENING) / 24)
    shape += SHOULDER_WEIGHT * np.cos(4 * math.pi * (hours - SHOULDER) / 24)
    curve = np.exp(steepness * shape)
    return np.asarray(floor + (1 - floor) * curve / curve.mean(), dtype=np.float64)


def _summed(regions: tuple[Region, ...], steepness: float, floor: float) -> Curves:
    local = _local(steepness, floor)
    by_region = np.stack([np.roll(local, -round(region.utc_offset * 60)) for region in regions])
    return Curves(by_region, _world(regions, by_region), steepness, floor)


def _powered(regions: tuple[Region, ...], fitted: Curves, power: float) -> Curves:
    scaled = fitted.by_region / fitted.by_region.max(axis=1, keepdims=True)
    raised = scaled**power
    raised /= raised.mean(axis=1, keepdims=True)
    return Curves(raised, _world(regions, raised), fitted.steepness, fitted.floor)


def _world(regions: tuple[Region, ...], by_region: Floats) -> Floats:
    shares = np.array([region.share for region in regions])
    return np.asarray(shares @ by_region, dtype=np.float64)
