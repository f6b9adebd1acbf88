"""After the trigger: the run goes on until the tier has recovered, or it is shown that it will not by itself.

Recovered: for `quiet_s` together nothing was refused or timed out beyond what was normal before, nobody waits to retry beyond
it, and the backlog is gone. Metastable: after `patience_s` calls fail as before, though the load is back, and the backlog does not fall: a slow recovery
is not one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from .advance import advance
from .model import Feedback, Load, State
from .trace import Trace


@dataclass(frozen=True, slots=True)
class Sign:
    """How a tier is after a block."""

    at_s: float
    offered: int
    failed: int  # refused or timed out in the block
    waiting: int  # attempts in the retry pool
    backlog_s: float  # the longest of a shard
    mean_backlog_s: float

    @property
    def failing(self) -> float:
        """Share of the attempts of the block that failed."""
        return self.failed / max(self.offered, 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`recovered_s` after the trigger; None: metastable, or `undecided` when the run ended first."""

    recovered_s: float | None
    metastable: bool
    signs: list[Sign]

    @property
    def undecided(self) -> bool:
        return self.recovered_s is None and not self.metastable


@dataclass(slots=True)
class Watch:
    """Follows the signs of a tier block by block; `normal` is what failed before the trigger."""

    trigger_end_s: float
    normal: float = 0.001
    quiet_s: float = 10.0
    patience_s: float = 600.0
    backlog_s: float = 0.1
    signs: list[Sign] = field(default_factory=list)

    def see(self, sign: Sign) -> Verdict | None:
        """A verdict as soon as there is one."""
        self.signs.append(sign)
        after = [s for s in self.signs if s.at_s > self.trigger_end_s]
        if not after:
            return None
        sick = [s for s in after if s.failing > self.normal or s.backlog_s > self.backlog_s or s.waiting > self.normal * s.offered]
        well_since = sick[-1].at_s if sick else self.trigger_end_s
        if sign.at_s - well_since >= self.quiet_s:
            return Verdict(well_since - self.trigger_end_s, metastable=False, signs=self.signs)
        if sign.at_s - self.trigger_end_s >= self.patience_s and _not_falling(after):
            return Verdict(None, metastable=True, signs=self.signs)
        return None

    def ended(self) -> Verdict:
        """What can be said when the run ends."""
        return Verdict(None, metastable=False, signs=self.signs)


def run_on(state: State, loads: Iterable[Load], watch: Watch, feedback: Callable[[State], Feedback] | None = None,
           seen: Callable[[Trace], None] | None = None) -> tuple[State, Verdict]:  # fmt: skip
    """Advance one tier through `loads` until there is a verdict."""
    for load in loads:
        before = state
        state, trace = advance(load, state, feedback(state) if feedback else Feedback())
        if seen:
            seen(trace)
        if verdict := watch.see(sign_of(before, state)):
            return state, verdict
    return state, watch.ended()


def sign_of(before: State, after: State) -> Sign:
    """What happened between two states of a tier."""
    first, retried, _, shed, timed_out, _, _ = np.moveaxis(after.counts - before.counts, 2, 0)
    failed = int(shed.sum() + timed_out.sum())
    return Sign(after.at_us / 1e6, int(first.sum() + retried.sum()), failed, after.waiting, float(after.backlog.max()), float(after.backlog.mean()))


def _not_falling(after: list[Sign]) -> bool:
    """Whether in the last third of the time as much fails as in the third before, and as much waits."""
    third = max(1, len(after) // 3)
    last, before = after[-third:], after[-2 * third : -third]
    if not before or sum(s.failing for s in last) < 0.9 * sum(s.failing for s in before):
        return False
    return _mean_backlog(last) >= _mean_backlog(before)


def _mean_backlog(signs: list[Sign]) -> float:
    return sum(s.mean_backlog_s for s in signs) / len(signs)
