"""Rung 1: the queues against what is known exactly, each with its confidence interval.

M/M/1, M/D/1, M/M/c (Erlang C), Pollaczek-Khinchine, several classes, Little, the bounds of fork-join, the retry threshold.
Every figure runs call by call unless it says closed form; nothing here is calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.closed import erlang_c
from ..queues.histogram import value_at
from ..queues.model import Floats, Ints, Load, Retries, Rule, Server, State, fresh
from ..queues.pages import Asks, instants, pages_at
from ..queues.recovery import Verdict, Watch, run_on
from ..queues.trace import Trace

MS = 1e-3
QUIET_S = 20  # before a trigger
KINDS = (Kind.HOME_IDS, Kind.HYDRATE, Kind.PUSH)
EXACT = Rule(closed_below=0.0, events_max=100_000)
CALM = Rule(closed_below=1.0, events_max=100_000)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what theory says, what was measured, and the interval in which theory must lie."""

    name: str
    predicted: float
    measured: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low <= self.predicted <= self.high

    @property
    def error(self) -> float:
        """Relative."""
        return self.measured / self.predicted - 1.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Calls of several kinds at one load: mean seconds of each, how much it varies, its share of the calls."""

    means: tuple[float, ...] = (MS,)
    variation: tuple[float, ...] = (1.0,)
    shares: tuple[float, ...] = (1.0,)

    @property
    def mean(self) -> float:
        return sum(m * p for m, p in zip(self.means, self.shares, strict=True))

    @property
    def square(self) -> float:
        parts = zip(self.means, self.variation, self.shares, strict=True)
        return sum(p * m * m * (1 + v * v) for m, v, p in parts)


SLOW = Mix((10 * MS,))


def measured(mix: Mix, rho: float, *, servers: int = 1, rule: Rule = EXACT, runs: int = 24, seconds: float = 60.0, seed: int = 1,
             window_us: int = 100_000) -> tuple[list[Trace], State]:  # fmt: skip
    """Traces of independent runs (shards), warmed up for a tenth of the time first."""
    server = Server(Tier.REDIS, KINDS[: len(mix.means)], servers=servers, variation=mix.variation)
    state = fresh(server, runs, seed, window_us=window_us, rule=rule)
    chance = np.random.default_rng(seed)
    traces = []
    for span in (seconds / 10, seconds):
        calls = drawn(chance, mix, rho * servers, runs=runs, windows=int(span * 1e6 / window_us), window_us=window_us)
        state, trace = advance(Load(state.at_us // window_us, window_us, calls, np.array(mix.means)), state)
        traces.append(trace)
    return traces[1:], state


def drawn(chance: np.random.Generator, mix: Mix, erlangs: float, *, runs: int, windows: int, window_us: int) -> Ints:
    """Poisson counts of each kind."""
    rate = erlangs / mix.mean * window_us / 1e6
    return np.stack([chance.poisson(rate * share, (runs, windows)) for share in mix.shares]).astype(np.int64)


def wait_mean(mix: Mix, rho: float) -> float:
    """Pollaczek and Khinchine."""
    return rho / mix.mean * mix.square / (2.0 * (1.0 - rho))


def row(name: str, predicted: float, by_run: Floats, slack: float = 0.0, sure: float = 0.999) -> Row:
    """Mean of independent runs with its interval; `slack`: relative width of what is known not to be exact (a bucket)."""
    mean = float(by_run.mean())
    half = float(stats.t.ppf(0.5 + sure / 2, by_run.size - 1) * by_run.std(ddof=1) / np.sqrt(by_run.size)) + slack * abs(mean)
    return Row(name, predicted, mean, mean - half, mean + half)


def means(seed: int = 1, seconds: float = 60.0) -> Iterator[Row]:
    """Mean waits: one server and several, fixed and varying work, one class and several."""
    classes = Mix((0.2 * MS, 1 * MS, 10 * MS), (0.0, 1.0, 0.5), (0.8, 0.17, 0.03))
    wild = Mix(variation=(2.0,))
    for name, mix in (("M/M/1", Mix()), ("M/D/1", Mix(variation=(0.0,))), ("M/H2/1", wild), ("M/G/1 of three classes", classes)):
        for rho in (0.5, 0.8):
            traces, _ = measured(mix, rho, seconds=seconds, seed=seed)
            yield row(f"{name} mean wait, rho {rho}", wait_mean(mix, rho), weighted_waits(traces))
    for servers, rho in ((4, 0.8), (16, 0.9)):
        traces, _ = measured(Mix(), rho, servers=servers, seconds=seconds / 4, seed=seed)
        theory = erlang_c(servers, rho) * MS / (servers * (1 - rho))
        yield row(f"M/M/{servers} mean wait (Erlang C), rho {rho}", theory, weighted_waits(traces))
        share = np.array([float((waits > 0).mean()) for waits in traces[0].grid])
        yield row(f"M/M/{servers} share that waits (Erlang C), rho {rho}", erlang_c(servers, rho), share)


def weighted_waits(traces: list[Trace]) -> Floats:
    """Mean wait by shard from the waits at instants: arrivals of a Poisson stream see time averages."""
    by_run: Floats = np.concatenate([trace.grid for trace in traces], axis=1).mean(axis=(1, 2))
    return by_run


def tails(seed: int = 2, seconds: float = 60.0) -> Iterator[Row]:
    """p99 of responses, and the closed form against the theory it replaces counting by."""
    for rho in (0.5, 0.8):
        by_run = []
        for part in range(8):
            traces, _ = measured(Mix(), rho, seconds=seconds / 2, runs=8, seed=seed * 100 + part)
            by_run.append(value_at(traces[0].responses[0], 0.99))
        yield row(f"M/M/1 p99 of responses, rho {rho}", -np.log(0.01) * MS / (1 - rho), np.array(by_run), slack=0.011)
    for mix, name in ((Mix(), "M/M/1"), (Mix(variation=(0.0,)), "M/D/1")):
        traces, _ = measured(mix, 0.45, rule=CALM, seconds=seconds, seed=seed)
        whole = traces[0].sums[0]
        mean = float(whole[1]) / float(whole[0]) / 1e9
        yield Row(f"{name} mean wait by closed form, rho 0.45", wait_mean(mix, 0.45), mean, mean * 0.98, mean * 1.02)


def little(seed: int = 3, seconds: float = 60.0) -> Iterator[Row]:
    """Work in the queue against arrivals times waits: two countings that share nothing but the run."""
    traces, _ = measured(Mix(), 0.8, seconds=seconds, seed=seed)
    trace = traces[0]
    calls, waited = float(trace.sums[0, 0]), float(trace.sums[0, 1]) / 1e9
    rate = calls / (trace.rows.shape[1] * trace.window_us / 1e6) / trace.rows.shape[0]
    yield row("Little, M/M/1 rho 0.8: calls waiting", rate * waited / calls, rate * weighted_waits(traces))


def fork_join(seed: int = 4, seconds: float = 60.0) -> Iterator[Row]:
    """The slowest of K shards that do not know of each other: one shard's mean times the K-th harmonic number."""
    runs = [measured(Mix(), 0.6, runs=48, seconds=seconds / 12, seed=seed * 100 + run)[0][0] for run in range(12)]
    for fan in (2, 10, 40):
        by_run = [float(pages_at(trace, Asks(0, fan), instants(trace, 1_000, n), seed + n).seconds.mean()) for n, trace in enumerate(runs)]
        theory = MS / 0.4 * float(np.sum(1 / np.arange(1, fan + 1)))
        yield row(f"fork-join of {fan}, rho 0.6: mean of the slowest", theory, np.array(by_run))


def retry_threshold(p: float, *, rho: float = 0.7, mix: Mix = SLOW, seed: int = 5, shards: int = 8, trigger_s: int = 6,
                    patience_s: float = 900.0, done: bool = True) -> Verdict:  # fmt: skip
    """Some seconds at three times the load, then back: does the tier recover when a share `p` of those who gave up come again?

    With abandoned work still done it fails for good from p* = 1 - rho on, whatever the classes of work.
    """
    retries = Retries(p, backoff_s=0.5, attempts=0)
    server = Server(Tier.REDIS, KINDS[: len(mix.means)], variation=mix.variation, timeout_s=100 * mix.mean, retries=retries,
                    abandoned_work_is_done=done)  # fmt: skip
    window_us = 100_000
    state = fresh(server, shards, seed, window_us=window_us, rule=Rule(closed_below=0.0, events_max=2_000))
    chance = np.random.default_rng(seed)

    def loads() -> Iterator[Load]:
        for second in range(int(patience_s) + 60):
            times = 3.0 if QUIET_S <= second < QUIET_S + trigger_s else 1.0
            calls = drawn(chance, mix, rho * times, runs=shards, windows=10, window_us=window_us)
            yield Load(second * 10, window_us, calls, np.array(mix.means))

    watch = Watch(trigger_end_s=QUIET_S + trigger_s, patience_s=patience_s, backlog_s=100 * mix.mean, normal=0.02)
    return run_on(state, loads(), watch)[1]


RUNGS: dict[str, Callable[[int, float], Iterator[Row]]] = {"means": means, "tails": tails, "Little": little, "fork-join": fork_join}


def rung1(seed: int = 1, seconds: float = 60.0) -> list[Row]:
    """All rows of rung 1 but the threshold."""
    return [row for rows in RUNGS.values() for row in rows(seed, seconds)]
