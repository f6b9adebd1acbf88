"""Work by kind of one's own stores, measured on scratch data: what `twit simulate calibrate` does.

It is handed stores that hold nothing and a clock, fills them, asks port verbs of varying sizes at several loads, and fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...core.clock import Clock
from ...core.limits import Limits
from ...core.ports import Stores
from ..kinds import Kind, Tier
from .fit import Fitted, fit, variation
from .measure import Measured, Tell, measure
from .probes import UNMEASURED, probes
from .scratch import fill

SEED = 1
SAME_VERB = "as HYDRATE: no cache stands in front of these stores"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came out. `kept`: kinds that keep their prior, and why."""

    fitted: Sequence[Fitted]
    variation: dict[Tier, float]
    kept: dict[Kind, str]
    measured: Measured


async def calibrate(
    stores: Stores, limits: Limits, clock: Clock, *, loads: Sequence[int] = (1, 4, 16), rounds: int = 5, slice_s: float = 0.02,
    tell: Tell = lambda _, __, ___: None,
) -> Calibration:  # fmt: skip
    """Measure `stores`, which must be empty and are full of scratch data afterwards."""
    scratch = await fill(stores, limits, clock.now_ms())
    measured = await measure(
        stores, limits, probes(scratch), loads=loads, rounds=rounds, slice_s=slice_s, seed=SEED,
        now=lambda: clock.monotonic_us() / 1e6, tell=tell,
    )  # fmt: skip
    fitted = _with_misses(fit(measured))
    have = {one.kind for one in fitted}
    kept = {kind: UNMEASURED.get(kind, "nothing that was asked shows it alone") for kind in Kind if kind not in have}
    return Calibration(fitted, variation(measured), kept, measured)


def _with_misses(fitted: list[Fitted]) -> list[Fitted]:
    """Stores without a cache in front answer what a cache would lack as they answer everything."""
    misses = [replace(one, kind=Kind.HYDRATE_MISS, note=SAME_VERB) for one in fitted if one.kind is Kind.HYDRATE]
    return sorted([*fitted, *misses], key=lambda one: one.kind)
