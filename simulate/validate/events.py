"""Rung 2: a small scenario here and in an independent event-by-event simulation, which lives in the tests.

The scenario has everything at once: kinds of unlike size, several servers, stalls, time-outs, retries. Waits must agree within 5 %
at the median and 10 % at p99, shares of what times out within a tenth of their own size or half a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.histogram import histogram, value_at
from ..queues.model import Floats, Ints, Load, Retries, Rule, Server, Stall, fresh

P50_WITHIN, P99_WITHIN, SHARE_WITHIN, POINTS = 0.05, 0.10, 0.10, 0.005
WINDOW_US = 50_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A shard and its callers, in words that any simulator understands."""

    rates: tuple[float, ...] = (60.0, 6.0)  # calls a second of each kind
    means: tuple[float, ...] = (0.008, 0.050)  # seconds of work
    variation: tuple[float, ...] = (1.0, 0.0)  # 0: fixed, 1: exponential
    servers: int = 2
    timeout_s: float = 0.5
    retry_p: float = 0.5
    backoff_s: float = 0.2
    stall_every_s: float = 12.0
    stall_for_s: float = 0.25
    seconds: float = 1_200.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What callers met: histogram of what they waited (time-outs at their limit) and counts."""

    responses: Ints
    attempts: int
    timed_out: int
    retried: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure by both."""

    name: str
    ours: float
    theirs: float
    within: float  # allowed difference, absolute

    @property
    def holds(self) -> bool:
        return abs(self.ours - self.theirs) <= self.within


def simulated(scenario: Scenario, seed: int, shards: int = 8) -> Outcome:
    """The scenario in the queues, on `shards` shards that do not know of each other."""
    kinds = tuple(Kind)[: len(scenario.rates)]
    server = Server(
        Tier.REDIS, kinds, servers=scenario.servers, timeout_s=scenario.timeout_s, variation=scenario.variation,
        retries=Retries(scenario.retry_p, scenario.backoff_s, attempts=0),
        stalls=(Stall("pause", scenario.stall_every_s, scenario.stall_for_s),),
    )  # fmt: skip
    chance = np.random.default_rng(seed)
    windows = int(scenario.seconds * 1e6 / WINDOW_US)
    calls = np.stack([chance.poisson(rate * WINDOW_US / 1e6, (shards, windows)) for rate in scenario.rates]).astype(np.int64)
    state = fresh(server, shards, seed, window_us=WINDOW_US, rule=Rule(closed_below=0.0, events_max=10_000))
    state, trace = advance(Load(0, WINDOW_US, calls, np.array(scenario.means)), state)
    ledger = state.ledger()
    attempts = int(ledger.first.sum() + ledger.retried.sum())
    return Outcome(trace.responses.sum(axis=0), attempts, int(ledger.timed_out.sum()), int(ledger.retried.sum()))


def recorded(responses: Floats, attempts: int, timed_out: int, retried: int) -> Outcome:
    """The outcome of another simulator, from its list of responses."""
    return Outcome(histogram(responses), attempts, timed_out, retried)


def compared(ours: Outcome, theirs: Outcome) -> list[Compared]:
    """Rung 2's rows."""
    rows = []
    for name, q, share in (("p50", 0.5, P50_WITHIN), ("p99", 0.99, P99_WITHIN)):
        a, b = value_at(ours.responses, q), value_at(theirs.responses, q)
        rows.append(Compared(name, a, b, share * b))
    for name in ("timed_out", "retried"):
        a, b = getattr(ours, name) / ours.attempts, getattr(theirs, name) / theirs.attempts
        rows.append(Compared(f"{name} share", a, b, max(POINTS, SHARE_WITHIN * b)))
    return rows
