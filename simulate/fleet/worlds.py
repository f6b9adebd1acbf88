"""What a plan does not know, and worlds drawn from it: the counts and prices of `inputs.toml`, the times of `work/`.

A world is a value for every input. Inputs are drawn apart from each other, each by Latin hypercube: of 512 worlds exactly one
lies in each 512th of an interval, half of them on either side of its value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid
from ...core.settings_file import Setting, read_file
from ..kinds import TIER_OF, Kind, Tier
from ..work import PARTS, Interval, Works

Floats = NDArray[np.float64]
INPUTS = Path(__file__).with_name("inputs.toml")
FIELDS = ("value", "low", "high", "kind", "grade", "source", "date")
KINDS, GRADES = ("count", "time", "price"), ("published", "derived", "measured", "assumed")
WORLDS = (8, 100_000)


class Input(NamedTuple):
    """One of them, with who says so."""

    name: str
    interval: Interval
    kind: str
    grade: str
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Worlds:
    """`number` of them. Counts and prices by name; times as where in its interval each `tier.part` lies (0 to 1)."""

    number: int
    counts: Mapping[str, Floats]
    times: Mapping[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        return self.counts[name]

    def moved(self, name: str, share: Floats | float, inputs: Mapping[str, Input]) -> Worlds:
        """The same with one input at that place of its interval."""
        place = np.full(self.number, 1.0) * share
        if name in self.times:
            return replace(self, times={**self.times, name: place})
        return replace(self, counts={**self.counts, name: at(inputs[name].interval, place)})


def read_inputs(path: Path = INPUTS) -> dict[str, Input]:
    """All counts and prices. Raises `Invalid` with file, line and what is allowed."""
    found = read_file(path, path.name)
    tables: dict[str, dict[str, Setting]] = {}
    for key, setting in found.items():
        name, _, field = key.rpartition(".")
        if field not in FIELDS:
            raise Invalid(f"{setting.source}: unknown key {key}", field=key, meaning=f"allowed: {', '.join(FIELDS)}")
        tables.setdefault(name, {})[field] = setting
    return {name: _input(name, table) for name, table in tables.items()}


def time_inputs(works: Works) -> dict[str, Input]:
    """The times as inputs of their own: what a tier's calls take, by part, as a multiple of the middle."""
    found = {}
    for name in (f"{tier}.{part}" for tier in works.ways for part in PARTS):
        tier, _, part = name.partition(".")
        of = [prior for kind, prior in works.priors.items() if TIER_OF[kind] == tier and prior.parts[part].value > 0]
        if of:
            low = min(prior.parts[part].low / prior.parts[part].value for prior in of)
            high = max(prior.parts[part].high / prior.parts[part].value for prior in of)
            grade = "published" if all(prior.trusted for prior in of) else "assumed"
            found[name] = Input(name, Interval(1.0, low, high), "time", grade, of[0].source, of[0].date)
    return found


def changed(inputs: Mapping[str, Input], values: Mapping[str, float]) -> dict[str, Input]:
    """With other middle values; an interval moves along in proportion. Raises `Invalid` for an unknown name or a value ≤ 0."""
    result = dict(inputs)
    for name, value in values.items():
        if name not in inputs:
            raise Invalid(f"no input {name}", field=name, meaning=f"allowed: {', '.join(inputs)}")
        if not (math.isfinite(value) and value > 0):
            raise Invalid(f"{name} = {value:g}", field=name, meaning="allowed: a number above 0")
        old = inputs[name].interval
        times = value / old.value
        moved = Interval(value, old.low * times, old.high * times)
        result[name] = inputs[name]._replace(interval=moved, grade="assumed", source="given", date="")
    return result


def middle(inputs: Mapping[str, Input], works: Works) -> Worlds:
    """One world: everything at its value."""
    counts = {name: np.array([one.interval.value]) for name, one in inputs.items()}
    return Worlds(1, counts, {name: np.array([0.5]) for name in time_inputs(works)})


def draw(inputs: Mapping[str, Input], works: Works, number: int, seed: int) -> Worlds:
    """That many worlds, the same for the same seed. Raises `Invalid` for too few or too many."""
    if not WORLDS[0] <= number <= WORLDS[1]:
        raise Invalid(f"{number} worlds", field="worlds", meaning=f"allowed: {WORLDS[0]} to {WORLDS[1]}")
    chance = np.random.Generator(np.random.PCG64(seed))

    def places() -> Floats:
        return (chance.permutation(number) + chance.random(number)) / number

    counts = {name: at(one.interval, places()) for name, one in inputs.items()}
    return Worlds(number, counts, {name: places() for name in time_inputs(works)})


def at(interval: Interval, place: Floats) -> Floats:
    """`Interval.at` for many places at once."""
    below = place < 0.5
    share = np.where(below, 2 * place, 2 * place - 1)
    a = np.where(below, interval.low, interval.value)
    b = np.where(below, interval.value, interval.high)
    positive = a > 0
    ratio = np.where(positive, b / np.where(positive, a, 1.0), 1.0)
    result: Floats = np.where(positive, a * ratio**share, a + (b - a) * share)
    return result


def seconds(works: Works, worlds: Worlds, kind: Kind) -> tuple[Floats, Floats, Floats]:
    """Seconds a call, an element and a byte of one kind, in each world."""
    tier: Tier = TIER_OF[kind]
    half = np.full(worlds.number, 0.5)
    base, element, byte = (
        at(works.priors[kind].parts[part], worlds.times.get(f"{tier}.{part}", half)) * unit for part, unit in PARTS.items()
    )
    return base, element, byte


def _input(name: str, table: Mapping[str, Setting]) -> Input:
    where = next(iter(table.values())).source
    missing = [field for field in FIELDS if field not in table]
    if missing:
        raise Invalid(f"{where}: {name} lacks {', '.join(missing)}", field=name)
    value, low, high = (_number(name, field, table[field]) for field in FIELDS[:3])
    if not low <= value <= high:
        source = table["value"].source
        raise Invalid(f"{source}: {name} = {value:g} is outside its interval", field=name, meaning=f"allowed: {low:g} to {high:g}")
    kind, grade, source, date = (str(table[field].value) for field in FIELDS[3:])
    for word, allowed, field in ((kind, KINDS, "kind"), (grade, GRADES, "grade")):
        if word not in allowed:
            raise Invalid(f"{table[field].source}: {name}.{field} = {word!r}", field=name, meaning=f"allowed: {' | '.join(allowed)}")
    return Input(name, Interval(value, low, high), kind, grade, source, date)


def _number(name: str, field: str, setting: Setting) -> float:
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise Invalid(f"{setting.source}: {name}.{field} = {value!r}", field=name, meaning="allowed: a number from 0")
    return float(value)
