"""What decides: which inputs move the answer, by how much, and where each would turn it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..verdict_schema import Flip
from .worlds import Floats, Input, Worlds, at

STEPS = 41
NUDGE = 0.02  # of an interval, either way
Metric = Callable[[Worlds], Floats]


class Weight(NamedTuple):
    """Of one input: rank 1 moves the metric most over the worlds (Spearman); elasticity at the middle."""

    rank: int
    correlation: float
    elasticity: float


def weights(metric: Metric, inputs: Mapping[str, Input], worlds: Worlds, middle: Worlds) -> dict[str, Weight]:
    """Of every input, counts, times and prices alike."""
    outcome = _ranks(metric(worlds))
    related = {name: _correlation(_ranks(_drawn(worlds, name)), outcome) for name in inputs}
    order = sorted(inputs, key=lambda name: (-abs(related[name]), name))
    return {name: Weight(order.index(name) + 1, related[name], _elasticity(metric, inputs[name], middle)) for name in inputs}


def flips(changes: Callable[[Worlds], Floats], inputs: Mapping[str, Input], middle: Worlds) -> list[Flip]:
    """Where one input alone, all others in the middle, changes the sign of `changes`; the nearest to its middle first."""
    places = np.linspace(0.0, 1.0, STEPS)
    wide = Worlds(
        STEPS, {name: np.repeat(value, STEPS) for name, value in middle.counts.items()},
        {name: np.repeat(value, STEPS) for name, value in middle.times.items()},
    )  # fmt: skip
    found: list[tuple[float, Flip]] = []
    for name, one in inputs.items():
        signs = np.sign(changes(wide.moved(name, places, inputs)))
        turned = np.flatnonzero(signs != signs[STEPS // 2])
        if len(turned):
            nearest = turned[np.argmin(np.abs(turned - STEPS // 2))]
            value = float(at(one.interval, places[nearest : nearest + 1])[0])
            found.append((abs(float(places[nearest]) - 0.5), Flip(input=name, value=value)))
    return [flip for _, flip in sorted(found, key=lambda pair: (pair[0], pair[1].input))]


def _elasticity(metric: Metric, one: Input, middle: Worlds) -> float:
    places = np.array([0.5 - NUDGE, 0.5 + NUDGE])
    values = at(one.interval, places)
    both = Worlds(
        2, {name: np.repeat(value, 2) for name, value in middle.counts.items()},
        {name: np.repeat(value, 2) for name, value in middle.times.items()},
    )  # fmt: skip
    moved = replace(both, times={**both.times, one.name: places}) if one.name in both.times else both.moved(one.name, places, {one.name: one})
    answers = metric(moved)
    if (values <= 0).any() or values[0] == values[1] or not (np.isfinite(answers).all() and (answers > 0).all()):
        return 0.0
    return float(np.log(answers[1] / answers[0]) / np.log(values[1] / values[0]))


def _drawn(worlds: Worlds, name: str) -> Floats:
    return worlds.times[name] if name in worlds.times else worlds.counts[name]


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
