"""Regions: readers go to the nearest, each region has its own evening, and what one loses the others carry.

Writes are the same everywhere, since the timeline cache is replicated to all regions; only reading moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .fleet import Fleet
from .worlds import Floats

BUSIEST_HOUR = 20.0  # local
HOURS = np.arange(0, 24, 0.5)


class Survivor(NamedTuple):
    """What the survivors of a region carry at their own worst hour, over the mean of all reads."""

    lost: str
    region: str
    utc_hour: float
    alone_x: float
    survivor_x: float


def region_x(fleet: Fleet, peak: Floats, *, lost: bool = False) -> Floats:
    """What the busiest region reads at its own peak, over what all would read at one common peak; `lost`: after the worst loss."""
    if len(fleet.regions) == 1:
        return np.ones_like(peak)
    curves = _curves(fleet, peak)
    if not lost:
        alone: Floats = curves.max(axis=(0, 1)) / peak
        return alone
    worst = [
        _with(curves, fleet, at, gone).max(axis=0) for gone in range(len(curves)) for at in range(len(curves)) if at != gone
    ]  # fmt: skip
    survived: Floats = np.max(worst, axis=0) / peak
    return survived


def survivors(fleet: Fleet, peak: float) -> list[Survivor]:
    """Each region lost in turn: who then carries most, and when."""
    curves = _curves(fleet, np.array([peak]))
    found = []
    for gone, lost in enumerate(fleet.regions if len(fleet.regions) > 1 else ()):
        loads = {at: _with(curves, fleet, at, gone)[:, 0] for at in range(len(curves)) if at != gone}
        at = max(loads, key=lambda one: float(loads[one].max()))
        hour = float(HOURS[int(loads[at].argmax())])
        found.append(Survivor(lost.name, fleet.regions[at].name, hour, float(curves[at].max()), float(loads[at].max())))
    return found


def _curves(fleet: Fleet, peak: Floats) -> Floats:
    """[region, hour, world]: reads over the mean of all reads."""
    rows = []
    for region in fleet.regions:
        wave = np.cos((HOURS + region.utc_offset - BUSIEST_HOUR) / 24 * 2 * np.pi)
        rows.append(region.share * (1 + np.minimum(peak - 1, 1.0)[None, :] * wave[:, None]))
    return np.array(rows)


def _with(curves: Floats, fleet: Fleet, at: int, gone: int) -> Floats:
    """The load of one region when another's readers are dealt to the survivors by their size."""
    result: Floats = curves[at] + curves[gone] * fleet.regions[at].share / (1 - fleet.regions[gone].share)
    return result
