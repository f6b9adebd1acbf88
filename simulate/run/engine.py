"""Plays a scenario: minute by minute the day's load, what happens, every tier's queue and a sample of home pages, in lockstep.

Each minute's trace is read and freed. After the last happening the run goes on until every tier has recovered, or it is shown that
they will not by themselves, or `RUN_ON_S` is over. The same inputs give the same result, however many workers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.chance import key_of
from ..queues.histogram import value_at
from ..queues.model import Feedback, Ints, Rule, State, fresh
from ..queues.quantiles import Batches
from ..queues.recovery import Sign, Verdict, Watch, sign_of
from ..queues.trace import Trace
from ..work import Theta
from .happenings import CLASSES, Classes, Effect, Happenings
from .loads import MINUTE_S, WINDOW_US, Extra, RunLoads
from .pages import Minute, Step, cold_steps, sampled, warm_steps
from .scenario import Scenario

RUN_ON_S = 1_800
PAGES_LONG, PAGES_SHORT, SHORT_S = 1_200, 12_000, 3 * 3_600  # home pages looked at a minute: p99 of a minute needs 10,000
DEADLINE_S = 5.0  # a page that takes longer has failed: `request_deadline_ms` of core/limits.py
QUEUE_RULE = Rule(events_max=512, grid=16)

Progress = Callable[[int, int], None]
MoreCalls = Callable[[int], list[Extra]]


@dataclass(slots=True)
class Row:
    """One minute, as a plot or a table shows it. Utilisation is of the busiest shard and the mean one, by tier."""

    t_s: int
    reads: int
    opened: int
    rebuilds: int
    cold_users: int
    p50_ms: float | None
    p99_ms: float | None
    failed: int
    pages: int
    rho: dict[str, float]
    rho_busiest: dict[str, float]
    backlog_s: float
    steps_ms: dict[str, float]


@dataclass(slots=True)
class TierSeen:
    """What a tier went through: means and peaks of utilisation, calls by kind, how its windows were computed."""

    rho_sum: float = 0.0
    rho_peak: float = 0.0
    busiest_shard: int = 0
    busiest_peak: float = 0.0
    stalled_s: float = 0.0
    minutes: int = 0
    counts: dict[Kind, tuple[int, int]] = field(default_factory=dict)
    how: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Played:
    """A run that was played to its end."""

    rows: list[Row]
    home: Batches
    cold: Batches
    tiers: dict[Tier, TierSeen]
    states: dict[Tier, State]
    recovery: Verdict | None
    warm_steps: list[Step]
    first_minute: int = 0

    @property
    def failed_share(self) -> float:
        """Of all pages looked at."""
        return sum(row.failed for row in self.rows) / max(1, sum(row.pages for row in self.rows))


class Engine:
    """One scenario over one day's load."""

    def __init__(
        self, scenario: Scenario, loads: RunLoads, theta: Theta, people: Classes, width: float, *, workers: int = 2,
        more: MoreCalls | None = None,
    ) -> None:
        self._scenario, self._loads, self._theta, self._workers = scenario, loads, theta, workers
        self._happenings = Happenings(scenario.events, scenario.rule, loads, people, scenario.seed)
        self._warm = warm_steps(loads, width)
        self._cold = cold_steps(loads, float(people.followees.mean()), width)
        self._more = more or (lambda _minute: [])
        self._pages = PAGES_SHORT if scenario.duration_s <= SHORT_S else PAGES_LONG
        tiers = loads.tiers
        self._states = {
            tier: fresh(
                server, tiers.epoch.shards(tier), scenario.seed, window_us=WINDOW_US, rule=QUEUE_RULE,
                classes=CLASSES if tier is Tier.REDIS else 1,
            )
            for tier, server in tiers.servers.items()
        }  # fmt: skip
        self._seen = {tier: TierSeen() for tier in Tier}
        self._home, self._cold_home = Batches(), Batches()
        self._rebuild_s = 0.1

    def play(self, progress: Progress | None = None) -> Played:
        """To the end, and on until recovered."""
        planned = max(1, round(self._scenario.duration_s / MINUTE_S))
        watch = Watch(self._happenings.last_s) if self._scenario.events else None
        verdict: Verdict | None = None
        rows: list[Row] = []
        minute = 0
        while minute < planned or (watch is not None and verdict is None and minute < planned + RUN_ON_S // MINUTE_S):
            row, sign = self._minute(minute)
            rows.append(row)
            minute += 1
            if watch is not None and verdict is None:
                if minute * MINUTE_S <= self._happenings.last_s:
                    watch.normal = max(watch.normal, 2 * sign.failing) if minute * MINUTE_S <= self._first_s else watch.normal
                verdict = watch.see(sign)
            if progress is not None:
                progress(min(minute, planned), planned)
        if watch is not None and verdict is None:
            verdict = watch.ended()
        return Played(rows, self._home, self._cold_home, self._seen, self._states, verdict, self._warm)

    @property
    def _first_s(self) -> float:
        return min((event.at_s for event in self._scenario.events), default=0.0)

    def _minute(self, minute: int) -> tuple[Row, Sign]:
        effect = self._happenings.minute(minute, self._states, self._rebuild_s)
        extras = [*effect.extras, *self._more(minute)]
        traces, signs, used = {}, [], {}
        for tier in Tier:
            before = self._states[tier]
            asked = self._loads.at(tier, minute, effect.factor, extras)
            feedback = Feedback(down=effect.down.get(tier), workers=self._workers)
            self._states[tier], traces[tier] = advance(asked.load, before, feedback)
            signs.append(sign_of(before, self._states[tier]))
            used[tier] = self._note(tier, traces[tier], asked.counts)
        page = self._pages_of(traces, self._warm, self._pages, minute)
        self._home.add(page.counts, page.nanoseconds)
        if effect.rebuilds:
            self._rebuild(traces, minute)
        together = _together(signs)
        return self._row(minute, effect, page, together, used), together

    def _pages_of(self, traces: dict[Tier, Trace], steps: list[Step], pages: int, minute: int) -> Minute:
        seed = key_of(self._scenario.seed, "pages", minute, len(steps))
        return sampled(traces, steps, self._theta, pages=pages, seed=seed, deadline_s=DEADLINE_S)

    def _rebuild(self, traces: dict[Tier, Trace], minute: int) -> None:
        """Pages of people whose row was gone."""
        cold = self._pages_of(traces, self._cold, max(200, self._pages // 8), minute)
        self._cold_home.add(cold.counts, cold.nanoseconds)
        self._rebuild_s = cold.by_step[Kind.REBUILD_READ]

    def _note(self, tier: Tier, trace: Trace, counts: Mapping[Kind, tuple[int, int]]) -> tuple[float, float]:
        """Add up, and return the utilisation of this minute: of the mean shard, of the busiest."""
        seen = self._seen[tier]
        by_shard = trace.rho.mean(axis=1)
        mean, busiest = float(by_shard.mean()), int(by_shard.argmax())
        seen.minutes += 1
        seen.rho_sum += mean
        seen.rho_peak = max(seen.rho_peak, mean)
        if float(by_shard[busiest]) > seen.busiest_peak:
            seen.busiest_peak, seen.busiest_shard = float(by_shard[busiest]), busiest
        seen.stalled_s += float(trace.stalled.mean()) * MINUTE_S
        for name, share in trace.shares.items():
            seen.how[name] = seen.how.get(name, 0.0) + share
        for kind, (calls, elements) in counts.items():
            old = seen.counts.get(kind, (0, 0))
            seen.counts[kind] = (old[0] + calls, old[1] + elements)
        return mean, float(by_shard[busiest])

    def _row(self, minute: int, effect: Effect, page: Minute, sign: Sign, used: dict[Tier, tuple[float, float]]) -> Row:
        return Row(
            t_s=minute * MINUTE_S, reads=self._loads.reads_in(minute), opened=effect.opened, rebuilds=effect.rebuilds,
            cold_users=int(self._states[Tier.REDIS].cold.sum()), p50_ms=_ms(page.counts, 0.5), p99_ms=_ms(page.counts, 0.99),
            failed=page.failed, pages=page.pages,
            rho={tier.value: mean for tier, (mean, _) in used.items()},
            rho_busiest={tier.value: most for tier, (_, most) in used.items()}, backlog_s=sign.backlog_s,
            steps_ms={kind.name.lower(): seconds * 1e3 for kind, seconds in page.by_step.items()},
        )  # fmt: skip


def _ms(counts: Ints, q: float) -> float | None:
    """A quantile in milliseconds, where a hundred samples lie above it."""
    total = int(counts.sum())
    if total * (1 - q) < 100:
        return None
    return float(value_at(np.asarray(counts), q)) * 1e3


def _together(signs: list[Sign]) -> Sign:
    """All tiers as one: nothing has recovered before everything has."""
    return Sign(
        signs[0].at_s, sum(one.offered for one in signs), sum(one.failed for one in signs), sum(one.waiting for one in signs),
        max(one.backlog_s for one in signs), max(one.mean_backlog_s for one in signs),
    )  # fmt: skip
