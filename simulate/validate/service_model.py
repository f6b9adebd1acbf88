"""Rung 7's model: what the work of a request is, from light loads, and what the queues make of it at heavier ones.

One server, first come first served. From when each request was due and when its answer was there, its work follows: the time
since the later of its own start and the answer before it. Work of requests that found the server busy is work alone; that of
requests that found it idle has the way there and back and the waking up in it as well. What interrupts work (a collection
of garbage, a clock) is rare and long: it is kept apart, as stalls, by so much work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid
from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.histogram import value_at
from ..queues.model import Load, Rule, Server, Stall, fresh

Floats = NDArray[np.float64]
WINDOW_US = 100_000
RUNS, RUN_S = 32, 20.0  # independent runs of a prediction, and how long each is
ENOUGH = 200  # requests that found the server busy, and another waiting
APART = 6.0  # deviations (robust) beyond which work was interrupted
EPISODES = 20  # pauses of a sort, or nothing is said of it: one pause of the machine is no law of the service
LONG = 4.0  # times the work of a request: what makes a pause a long one
TICK_S = 5e-5  # a request due less than this before the answer ahead of it cannot be told from one that found nobody


@dataclass(frozen=True, slots=True)
class Met:
    """What the requests of one window met, in seconds: due since the start, sent that much later, answered after due."""

    rate: float  # offered a second
    due: Floats
    answer: Floats
    late: Floats

    def later(self, from_s: float) -> Met:
        """Without what was due before."""
        kept = self.due >= from_s
        return Met(self.rate, self.due[kept], self.answer[kept], self.late[kept])

    def quantile(self, q: float) -> float:
        """Of the answers."""
        return float(np.quantile(self.answer, q))

    @property
    def throughput(self) -> float:
        """Answers a second in the second half of the time in which requests were due: while there was always more to do."""
        ends = np.sort(self.due + self.answer)
        last = float(self.due.max())
        first = last / 2
        return float(((ends > first) & (ends <= last)).sum()) / (last - first)


@dataclass(frozen=True, slots=True)
class Pause:
    """An interruption: its mean length, and seconds of work between two."""

    for_s: float
    every_s: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """The work of a request, and its way."""

    work_s: float
    variation: float
    way_s: float  # there and back, and waking up
    pauses: tuple[Pause, ...]  # short ones and long ones apart: a tail is made by the long; seen often enough, or left out
    busy: int  # requests on which the work stands
    idle: int

    @property
    def knee(self) -> float:
        """Requests a second at which the server has no time left."""
        return 1.0 / (self.work_s * (1.0 + sum(pause.for_s / pause.every_s for pause in self.pauses)))


@dataclass(frozen=True, slots=True)
class Predicted:
    """Seconds."""

    rho: float
    p50: float
    p99: float


def together(windows: Sequence[Met]) -> Met:
    """What the requests of several windows met; for quantiles, since their times overlap."""
    return Met(windows[0].rate, *(np.concatenate([getattr(one, name) for one in windows]) for name in ("due", "answer", "late")))


def works(met: Met) -> tuple[Floats, Floats, Floats]:
    """Seconds of work of those that found the server idle (their way included), of those right behind them, and of all others."""
    start, end = met.due + met.late, met.due + met.answer
    order = np.argsort(end, kind="stable")
    start, end = start[order], end[order]
    before = np.concatenate((np.zeros(1), end[:-1]))
    took, waited = end - np.maximum(start, before), start < before - TICK_S
    second = waited & ~np.concatenate((np.zeros(1, np.bool_), waited[:-1]))
    return took[~waited], took[second], took[waited & ~second]


def fit(light: Sequence[Met], enough: int = ENOUGH) -> Fitted:
    """From loads at which most find nobody. Who comes right behind one that woke the server still pays for what that one found
    cold, so the work is that of the ones behind; at heavier loads nearly all are."""
    found = [works(met) for met in light]
    idle, second, busy = (np.concatenate([one[which] for one in found]) for which in range(3))
    if busy.size < enough:
        raise Invalid(f"{busy.size} requests found the server busy and were not the first, {enough} needed", field="seconds", try_="longer windows")
    work, disturbed = 0.0, []
    for which in (idle, second, busy):
        calm, interrupted = _apart(which)
        work = float(calm.mean())
        if which is idle:
            woken = work
        else:  # what delays a waking server has to do with idleness, and goes with it
            disturbed.append(interrupted - work)
    excess = np.concatenate(disturbed)
    way = max(woken - work, 0.0)
    worked = float(busy.sum() + second.sum())
    long = excess > LONG * work
    pauses = tuple(Pause(float(some.mean()), worked / some.size) for some in (excess[~long], excess[long]) if some.size >= EPISODES)
    return Fitted(work, float(calm.std() / work), way, pauses, busy.size, idle.size)


def _apart(took: Floats) -> tuple[Floats, Floats]:
    """What took about as long as most, and what was interrupted."""
    middle = float(np.median(took))
    bound = middle + APART * 1.4826 * float(np.median(np.abs(took - middle)))
    return took[took <= bound], took[took > bound]


def predict(fitted: Fitted, rate: float, seed: int = 7) -> Predicted:
    """What callers will wait at `rate` requests a second, by the queues, call by call."""
    rho = rate * fitted.work_s
    names = ("short pause", "long pause")
    stalls = tuple(Stall(name, one.every_s / min(rho, 1.0), one.for_s, spread=True) for name, one in zip(names, fitted.pauses, strict=False))
    server = Server(Tier.GATEWAY, (Kind.REQUEST,), variation=(fitted.variation,), stalls=stalls)
    state = fresh(server, RUNS, seed, window_us=WINDOW_US, rule=Rule(closed_below=0.0, events_max=1_000_000))
    chance = np.random.default_rng(seed)
    windows = int(RUN_S * 1e6 / WINDOW_US)
    responses = np.zeros(0, np.int64)
    for span in (windows // 10, windows):  # the first to warm up
        calls = chance.poisson(rate * WINDOW_US / 1e6, (1, RUNS, span)).astype(np.int64)
        state, trace = advance(Load(state.at_us // WINDOW_US, WINDOW_US, calls, np.array([fitted.work_s])), state)
        responses = trace.responses[0]
    return Predicted(rho, value_at(responses, 0.5) + fitted.way_s, value_at(responses, 0.99) + fitted.way_s)
