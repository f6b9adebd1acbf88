"""Days that were counted once are kept: half a billion people need not be counted again for another scenario on as many shards.

Kept beside the compiled code, in a folder named after its sources, by all that a count depends on. A file that cannot be read
is counted anew and written over.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..compiled import cache_folder
from ..day.load import assemble
from ..day.pages import learn
from ..day.parts import Progress, RawDay, count_day, plan_of
from ..day.result import DayLoad
from ..day.rule import DayRule
from ..population.people import Population

KEPT_MAX = 40  # files; the oldest go


def kept_day(population: Population, rule: DayRule, *, threads: int, progress: Progress | None = None, keep: bool = True) -> DayLoad:
    """The load of this day: from the file, or counted, checkpointed and kept."""
    plan = plan_of(population, rule)
    name = rule.signature("day", population.graph.users, population.seed, population.params, plan.key)
    path = cache_folder() / "days" / f"{name}.npz"
    raw = _read(path, population, rule) if keep else None
    if raw is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = path.with_suffix(".partial") if keep else None
        raw = count_day(population, rule, threads=threads, progress=progress, checkpoint=checkpoint)
        if keep:
            _write(path, raw)
    return assemble(population, rule, raw, learn(population, rule))


def _read(path: Path, population: Population, rule: DayRule) -> RawDay | None:
    try:
        with np.load(path) as kept:
            return RawDay(plan_of(population, rule), kept["sums"], kept["small"], kept["list_reads"])
    except (OSError, KeyError, ValueError, BadZipFile):
        return None


def _write(path: Path, raw: RawDay) -> None:
    """Whole or not at all; what cannot be kept is only counted again."""
    beside = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        with beside.open("wb") as file:
            np.savez(file, sums=raw.sums, small=raw.small, list_reads=raw.list_reads)
        beside.replace(path)
        kept = sorted(path.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-KEPT_MAX]:
            old.unlink(missing_ok=True)
