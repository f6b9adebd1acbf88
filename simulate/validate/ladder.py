"""The ladder of validation: every rung run small, each comparison with what was measured, its reference, error and bound.

A rung is told by its worst comparison, by how much of its bound it uses. What cannot be run here says why and decides nothing.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...core.clock import Clock
from ...core.errors import Refused
from ..population.graph import build_graph, village
from ..population.people import open_population
from ..population.shape import GraphParams
from . import history, scm, service
from .closed_forms import rung1
from .day import SIGMAS, against_core, against_kernels, drawn_against_exact
from .graph import full_rows
from .graph_exhaustive import exhaustive

Tell = Callable[[str, int, int], None]
VILLAGE, EACH = 20_000, 3  # people of rung 4, and how many of a stratum


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure. `error`: relative to the reference, or absolute where that is nothing; `bound`: of the error's size; None:
    nothing is said about it. `ok` None: left out, `note` says why."""

    what: str
    measured: float | None = None
    reference: float | None = None
    error: float | None = None
    bound: float | None = None
    ok: bool | None = None
    note: str = ""

    @property
    def used(self) -> float:
        """How much of the bound is used up; what does not hold goes first."""
        share = abs(self.error) / self.bound if self.error is not None and self.bound else float(bool(self.error))
        return share + 1e6 * (self.ok is False)


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung and its comparisons."""

    number: int
    name: str
    comparisons: Sequence[Comparison]

    @property
    def ok(self) -> bool | None:
        """Whether all that was compared holds; None where nothing was."""
        said = [one.ok for one in self.comparisons if one.ok is not None]
        return all(said) if said else None

    @property
    def worst(self) -> Comparison:
        """The one nearest to its bound, or beyond it."""
        return max(self.comparisons, key=lambda one: one.used)


@dataclass(frozen=True, slots=True)
class Climb:
    """What rungs are handed. `rounds` of rung 7; `capacity_python`: an interpreter that has what rung 6 asks."""

    clock: Clock
    tell: Tell = lambda _, __, ___: None
    rounds: int = 3
    capacity_python: str = sys.executable


def climb(numbers: Sequence[int], how: Climb) -> Iterator[Rung]:
    """These rungs, one after another; minutes for all."""
    for number in numbers:
        name, run = RUNGS[number]
        try:
            comparisons = list(run(how))
        except Refused as refused:
            comparisons = [Comparison(name, note=f"left out: {refused}; {refused.try_}")]
        yield Rung(number, name, comparisons)


def _between(what: str, measured: float, low: float, high: float) -> Comparison:
    """A figure that must lie between two others; the reference is their middle."""
    middle = (low + high) / 2
    scale = abs(middle) if low > 0 else 1.0
    return Comparison(what, measured, middle, (measured - middle) / scale, (high - low) / 2 / scale, bool(low <= measured <= high))


def _closed_forms(_: Climb) -> Iterator[Comparison]:
    for row in rung1(1, 6.0):
        bound = max(abs(row.low / row.measured - 1.0), abs(row.high / row.measured - 1.0))
        yield Comparison(row.name, row.measured, row.predicted, row.error, bound, bool(row.holds))


def _events(_: Climb) -> Iterator[Comparison]:
    note = "left out: the simulation event by event (SimPy) lives in the tests: python -m pytest tests/simulate/test_queues_events.py -m slow"
    yield Comparison("waits against a simulation event by event", note=note)


def _graph(_: Climb) -> Iterator[Comparison]:
    found = exhaustive(village(10_000, 1), pairs=20_000)
    yield Comparison(f"10,000 users: contradictions in {found.edges:,} edges", found.errors, 0, found.errors, 0, found.errors == 0)
    for row in full_rows(build_graph(GraphParams(), 7), 2_000):
        yield _between(row.name, row.measured, row.low, row.high)


def _day(_: Climb) -> Iterator[Comparison]:
    people = open_population(VILLAGE, seed=7)
    for check in (*asyncio.run(against_core(people, "design", each=EACH)), *against_kernels(people, each=EACH)):
        wrong = check.equal / check.compared - 1.0 if check.compared else 0.0
        yield Comparison(f"{check.what}, {check.stratum}: equal", check.equal, check.compared, wrong, 0, bool(check.holds), check.first_difference)
    for total in drawn_against_exact(people):
        bound = SIGMAS * total.sigma / max(total.exact, 1)
        yield Comparison(f"drawn total of {total.name}", total.drawn, total.exact, total.drawn / max(total.exact, 1) - 1.0, bound, bool(total.holds))


def _history(_: Climb) -> Iterator[Comparison]:
    """A figure that was calibrated with is shown and decides nothing; a miss stays in the table with its reason."""
    for row in history.compare():
        bound = row.bound - 1.0 if row.ratio > 1.0 else 1.0 - 1.0 / row.bound
        note = "used to calibrate: no prediction" if row.calibrated else row.why
        yield Comparison(f"{row.preset}: {row.figure} ({row.unit})", row.predicted, row.published, row.ratio - 1.0, bound, None if row.calibrated else bool(row.within), note)


def _capacity(how: Climb) -> Iterator[Comparison]:
    """Differences over two times must be explained; that is what holds or not."""
    for row in scm.compare(how.capacity_python):
        bound = scm.TWICE - 1.0 if row.ratio > 1.0 else 1.0 - 1.0 / scm.TWICE
        yield Comparison(f"{row.tier}: {row.what}", row.ours, row.theirs, row.ratio - 1.0, bound, bool(row.holds), row.why)


def _service(how: Climb) -> Iterator[Comparison]:
    report = service.compare(how.clock, rounds=how.rounds, tell=how.tell)
    for row in report.rows:
        error = row.error if row.bound is not None else None
        note = f"{row.note}; {report.how}" if row.note else report.how
        yield Comparison(f"{row.what} ({row.unit})", row.predicted, row.measured, error, row.bound, bool(row.holds), note)


Run = Callable[[Climb], Iterable[Comparison]]
RUNGS: dict[int, tuple[str, Run]] = {
    1: ("closed forms", _closed_forms), 2: ("event by event", _events), 3: ("the graph", _graph), 4: ("the day against the core", _day),
    5: ("history", _history), 6: ("service-capacity-modeling", _capacity), 7: ("a real service under load", _service),
}  # fmt: skip


def shown(value: float | None) -> float | None:
    """Five digits; what is no number is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")
