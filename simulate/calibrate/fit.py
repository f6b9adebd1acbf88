"""Work by kind from what was measured: non-negative least squares of seconds over calls, elements and bytes.

Errors count relative to what was measured, or a push to a thousand would drown a read of one. Each round at each load gives a
fit of its own: the value is the middle at the highest load, where work shares what can be shared; the interval covers all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls  # type: ignore[import-untyped]

from ..kinds import TIER_OF, Kind, Tier
from ..work import PARTS, Interval
from .measure import Measured, Observed

Floats = NDArray[np.float64]
LEAST_BASE_US = 0.001  # a call takes more than nothing
INDEPENDENT = 0.05  # of a column that the ones before it do not explain; below, nobody can tell them apart
COVERED = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Fitted:
    """One kind: its parts, how far the fit is off (root mean square, relative), on how much it stands."""

    kind: Kind
    parts: Mapping[str, Interval]
    residual: float
    worst: float
    observations: int
    joined: tuple[str, ...]  # parts that sizes did not tell from an earlier one: nothing is left for them
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A part of a kind."""

    kind: Kind
    part: str


def fit(measured: Measured) -> list[Fitted]:
    """Every kind that was measured, in order of kind."""
    groups: dict[str, list[Observed]] = {}
    for one in measured.observed:
        groups.setdefault(one.probe.group, []).append(one)
    found = [kind for group in groups.values() for kind in _group(group, measured)]
    return sorted(found, key=lambda one: one.kind)


def variation(measured: Measured) -> dict[Tier, float]:
    """By tier: the middle of its kinds' probes."""
    by_tier: dict[Tier, list[float]] = {}
    for name, cv in measured.variation.items():
        for tier in {TIER_OF[kind] for kind in measured.asked[name]}:
            by_tier.setdefault(tier, []).append(min(cv, 10.0))
    return {tier: float(np.median(values)) for tier, values in sorted(by_tier.items())}


def _group(observed: Sequence[Observed], measured: Measured) -> list[Fitted]:
    columns, joined = _columns(observed, measured)
    rows = np.array([_row(one, columns, measured) for one in observed])
    seconds = np.array([one.seconds for one in observed])
    loads = sorted({one.load for one in observed})
    place = np.array([(loads.index(one.load), one.round) for one in observed])
    fits: dict[int, list[Floats]] = {load: [] for load in range(len(loads))}
    for load, round_ in sorted({(int(a), int(b)) for a, b in place}):
        chosen = (place[:, 0] == load) & (place[:, 1] == round_)
        fits[load].append(solve(rows[chosen], seconds[chosen]))
    value = np.median(fits[len(loads) - 1], axis=0)
    low, high = np.quantile([one for some in fits.values() for one in some], COVERED, axis=0)
    top = place[:, 0] == len(loads) - 1
    errors = rows[top] @ value / _typical([one for one in observed if one.load == loads[-1]]) - 1.0
    found = []
    for kind in sorted({column.kind for column in columns}):
        at = {column.part: n for n, column in enumerate(columns) if column.kind is kind}
        parts = {part: _interval(part, at, value, low, high) for part in PARTS}
        about = rows[top][:, list(at.values())].any(axis=1)
        found.append(Fitted(kind, parts, float(np.sqrt((errors[about] ** 2).mean())), float(np.abs(errors[about]).max()),
                            int((rows[:, list(at.values())] > 0).any(axis=1).sum()), joined.get(kind, ())))  # fmt: skip
    return found


def _typical(observed: Sequence[Observed]) -> Floats:
    """For each, what its probe took in the middle of its rounds."""
    by_name: dict[str, list[float]] = {}
    for one in observed:
        by_name.setdefault(one.probe.name, []).append(one.seconds)
    return np.array([np.median(by_name[one.probe.name]) for one in observed])


def _interval(part: str, at: Mapping[str, int], value: Floats, low: Floats, high: Floats) -> Interval:
    scale = 1.0 / PARTS[part]
    least = LEAST_BASE_US if part == "base_us" else 0.0
    if part not in at:
        return Interval(least, least, least)
    n = at[part]
    middle = max(float(value[n]) * scale, least)
    return Interval(middle, max(min(float(low[n]) * scale, middle), least), max(float(high[n]) * scale, middle))


def _columns(observed: Sequence[Observed], measured: Measured) -> tuple[list[Column], dict[Kind, tuple[str, ...]]]:
    """Parts that the sizes asked for can tell apart: each must bring something that those before it do not say."""
    names = sorted({one.probe.name for one in observed})
    every = [Column(kind, part) for kind in sorted({kind for name in names for kind in measured.asked[name]}) for part in PARTS]
    every.sort(key=lambda column: list(PARTS).index(column.part))
    first = {one.probe.name: one for one in observed}
    kept: list[Column] = []
    basis: list[Floats] = []
    joined: dict[Kind, tuple[str, ...]] = {}
    for column in every:
        raw = np.array([_row(first[name], [column], measured)[0] / first[name].seconds for name in names])
        left = raw.copy()
        for one in basis:
            left -= (left @ one) * one
        if np.linalg.norm(raw) > 0.0 and np.linalg.norm(left) > INDEPENDENT * np.linalg.norm(raw):
            kept.append(column)
            basis.append(left / np.linalg.norm(left))
        else:
            joined[column.kind] = (*joined.get(column.kind, ()), column.part)
    return kept, joined


def _row(one: Observed, columns: Sequence[Column], measured: Measured) -> list[float]:
    """How much of each part a call of the probe holds."""
    asked = measured.asked[one.probe.name]
    sizes = {kind: dict(zip(PARTS, counts, strict=True)) for kind, counts in asked.items()}
    return [float(sizes[column.kind][column.part]) if column.kind in sizes else 0.0 for column in columns]


def solve(rows: Floats, seconds: Floats) -> Floats:
    """Non-negative seconds for each column, by relative errors."""
    weighted = rows / seconds[:, None]
    scale = np.maximum(np.linalg.norm(weighted, axis=0), 1e-300)
    found, _ = nnls(weighted / scale, np.ones(seconds.size))
    solved: Floats = found / scale
    return solved
