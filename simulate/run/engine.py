"""Plays a scenario: minute by minute the day's load, what happens, every tier's queue and a sample of home pages, in lockstep.

Each minute's trace is read and freed. After the last happening the run goes on until every tier has recovered, or it is shown that
they will not by themselves, or `RUN_ON_S` is over. The same inputs give the same result, however many workers there are.
What is normal is what the minutes before the first happening were like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from ..kinds import Kind, Tier
from ..queues.advance import advance
from ..queues.chance import key_of
from ..queues.histogram import value_at
from ..queues.model import COUNTED, Feedback, Ints, Rule, State, fresh
from ..queues.quantiles import Batches
from ..queues.recovery import Sign, Verdict, Watch, sign_of
from ..queues.shards import CLOSED
from ..queues.trace import P_SHED, P_TIMEOUT, Trace
from ..work import Theta
from .happenings import CLASSES, Classes, Effect, Happenings
from .loads import MINUTE_S, WINDOW_US, Asked, Extra, RunLoads
from .pages import Minute, Step, cold_steps, sampled, warm_steps
from .rebuilds import unbuilt
from .scenario import Scenario
from .tiers import kinds_of, replicas

RUN_ON_S = 1_800
SPAN_PAGES = 12_000  # home pages looked at in a span, of which a p99 is told: it needs 10,000
SPAN_LONG, SHORT_S = 10, 3 * 3_600  # minutes a span of a run longer than so many seconds; else one
COLD_PAGES_MIN = 200
BACKLOG_S = 0.5  # what stalls leave on some shard or other at any time
DEADLINE_S = 5.0  # a page that takes longer has failed: `request_deadline_ms` of core/limits.py
QUEUE_RULE = Rule(events_max=512, grid=16)
LONG_RULE = Rule(events_max=128, grid=16)  # bundles four times as large where there are hundreds of minutes

Progress = Callable[[int, int], None]
MoreCalls = Callable[[int], list[Extra]]
Seen = Callable[["Row", Mapping[Tier, Trace], int], None]  # a minute, its traces before they are freed, requests at all gateways


@dataclass(slots=True)
class Row:
    """One minute, as a plot or a table shows it. Utilisation is of the busiest shard and the mean one, by tier, and of the
    tier by kind. Quantiles are of the span that the minute is in; a page that failed counts as one that took the deadline."""

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
    rho_by_kind: dict[str, float]
    backlog_s: float
    steps_ms: dict[str, float]
    refused: dict[str, float]  # share of the pages, by step
    push_p99_s: float | None  # what a push waits in Redis
    likes: int  # on the tweet of a post
    elements: dict[str, int]  # by kind, without copies
    calls: dict[str, int]  # attempts of all tiers: first, retried, served, shed, timed out


@dataclass(slots=True)
class TierSeen:
    """What a tier went through: means and peaks of utilisation, calls by kind, how its windows were computed."""

    rho_sum: float = 0.0
    rho_peak: float = 0.0
    minutes: int = 0
    counts: dict[Kind, tuple[int, int]] = field(default_factory=dict)
    how: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Played:
    """A run that was played to its end."""

    rows: list[Row]
    home: Batches  # of all readers
    warm: Batches
    cold: Batches
    tiers: dict[Tier, TierSeen]
    states: dict[Tier, State]
    recovery: Verdict | None
    warm_steps: list[Step]
    span: int  # minutes that a row's quantiles are of
    failing_before: float  # share of the calls of the worst tier, before anything happened

    @property
    def failed_share(self) -> float:
        """Of all pages looked at."""
        return sum(row.failed for row in self.rows) / max(1, sum(row.pages for row in self.rows))


class Engine:
    """One scenario over one day's load."""

    def __init__(
        self, scenario: Scenario, loads: RunLoads, theta: Theta, people: Classes, width: float, *, workers: int = 2,
        more: MoreCalls | None = None, seen: Seen | None = None,
    ) -> None:
        self._scenario, self._loads, self._theta, self._workers = scenario, loads, theta, workers
        self._happenings = Happenings(scenario.events, scenario.rule, loads, people, scenario.seed)
        self._warm = warm_steps(loads, width)
        self._cold = cold_steps(loads, float(people.followees.mean()), width)
        self._more = more or (lambda _minute: [])
        self._look = seen or (lambda _row, _traces, _requests: None)
        self._span = 1 if scenario.duration_s <= SHORT_S else SPAN_LONG
        self._pages = SPAN_PAGES // self._span
        tiers = loads.tiers
        self._states = {
            tier: fresh(
                server, tiers.epoch.shards(tier), scenario.seed, window_us=WINDOW_US, rule=QUEUE_RULE if self._span == 1 else LONG_RULE,
                classes=CLASSES if tier is Tier.REDIS else 1,
            )
            for tier, server in tiers.servers.items()
        }  # fmt: skip
        self._seen = {tier: TierSeen() for tier in Tier}
        self._home, self._warm_home, self._cold_home = Batches(), Batches(), Batches()
        self._counts: list[Ints] = []  # of pages, by minute
        self._rebuild_s = 0.1
        self._sick_until = 0.0

    def play(self, progress: Progress | None = None) -> Played:
        """To the end, and on until recovered."""
        planned = max(1, round(self._scenario.duration_s / MINUTE_S))
        first_s = min((event.at_s for event in self._scenario.events), default=0.0)
        watch = Watch(self._happenings.last_s, backlog_s=BACKLOG_S) if self._scenario.events else None
        verdict: Verdict | None = None
        before, minute = 0.0, 0
        rows: list[Row] = []
        while minute < planned or (watch is not None and verdict is None and minute < planned + RUN_ON_S // MINUTE_S):
            row, sign = self._minute(minute, watch)
            rows.append(row)
            minute += 1
            if watch is not None and verdict is None:
                if minute * MINUTE_S <= first_s:
                    before = max(before, sign.failing)
                    watch.normal, watch.backlog_s = max(watch.normal, 1.5 * before), max(watch.backlog_s, 1.5 * sign.backlog_s)
                verdict = watch.see(sign)
            if progress is not None:
                progress(min(minute, planned), planned)
        if watch is not None and verdict is None:
            verdict = watch.ended()
        if verdict is not None and verdict.recovered_s:
            verdict = replace(verdict, recovered_s=min(verdict.recovered_s, max(0.0, self._sick_until - self._happenings.last_s)))
        self._tell_spans(rows)
        return Played(
            rows, self._home, self._warm_home, self._cold_home, self._seen, self._states, verdict, self._warm, self._span, before
        )

    def _tell_spans(self, rows: list[Row]) -> None:
        """The quantiles of each span to all its minutes. A rest that is no whole span belongs to the last one."""
        cuts = [*range(0, max(1, len(rows) // self._span) * self._span, self._span), len(rows)]
        for low, high in pairwise(cuts):
            counts = np.sum(self._counts[low:high], axis=0)
            for row in rows[low:high]:
                row.p50_ms, row.p99_ms = _ms(counts, 0.5), _ms(counts, 0.99)

    def _minute(self, minute: int, watch: Watch | None) -> tuple[Row, Sign]:
        effect = self._happenings.minute(minute, self._states, self._rebuild_s)
        extras = [*effect.extras, *self._more(minute)]
        before, traces, asked = dict(self._states), {}, {}
        for tier in Tier:
            asked[tier] = self._loads.at(tier, minute, effect.factor, extras, effect.lost.get(tier))
            feedback = Feedback(down=effect.down.get(tier), workers=self._workers)
            self._states[tier], traces[tier] = advance(asked[tier].load, before[tier], feedback)
            self._note(tier, traces[tier], asked[tier])
            if watch is not None:
                self._sick(minute, traces[tier], asked[tier], watch)
        if effect.begun is not None:
            self._chill(effect, traces, effect.begun, minute)
        together = _together([sign_of(before[tier], self._states[tier]) for tier in Tier])
        reads = int(self._loads.reads_in(minute) * effect.factor.mean())
        cold = effect.cold_reads + int(self._loads.rebuilds_in(minute) * effect.factor.mean())
        page, warm = self._read(traces, minute, cold / max(1, reads + effect.opened))
        row = self._row(minute, effect, page, warm, together)
        row.reads, row.rebuilds = reads, row.rebuilds + cold - effect.cold_reads
        self._note_row(row, traces, asked, before)
        self._look(row, traces, asked[Tier.GATEWAY].counts[Kind.REQUEST][0])
        return row, together

    def _chill(self, effect: Effect, traces: dict[Tier, Trace], begun: Ints, minute: int) -> None:
        """Rows whose rebuild failed are cold as before."""
        left = unbuilt(traces, self._cold, begun, key_of(self._scenario.seed, "rebuilds", minute))
        redis = self._states[Tier.REDIS]
        self._states[Tier.REDIS] = replace(redis, cold=redis.cold + left)
        effect.rebuilds -= int(left.sum())

    def _read(self, traces: dict[Tier, Trace], minute: int, cold_share: float) -> tuple[Minute, Minute]:
        """Pages as readers meet them, those whose row is gone among them; and the others alone."""
        warm = self._pages_of(traces, self._warm, self._pages, minute)
        self._warm_home.add(warm.counts, warm.nanoseconds)
        page = warm
        if cold_share > 0:
            number = min(self._pages, round(self._pages * cold_share))
            cold = self._pages_of(traces, self._cold, max(COLD_PAGES_MIN, number), minute)
            self._cold_home.add(cold.counts, cold.nanoseconds)
            self._rebuild_s = cold.by_step[Kind.REBUILD_READ]
            page = warm.some(self._pages - number).beside(cold.some(number))
        self._home.add(page.counts, page.nanoseconds)
        self._counts.append(page.counts)
        return page, warm

    def _pages_of(self, traces: dict[Tier, Trace], steps: list[Step], pages: int, minute: int) -> Minute:
        seed = key_of(self._scenario.seed, "pages", minute, len(steps))
        return sampled(traces, steps, self._theta, pages=pages, seed=seed, deadline_s=DEADLINE_S, workers=self._workers)

    def _sick(self, minute: int, trace: Trace, asked: Asked, watch: Watch) -> None:
        """Remember the last second in which more failed, or waited longer, than is normal."""
        calls = asked.load.calls.sum(axis=0)
        failing = (calls * (trace.rows[:, :, P_SHED] + trace.rows[:, :, P_TIMEOUT])).sum(axis=0) / np.maximum(1, calls.sum(axis=0))
        backlog = np.where(trace.how == CLOSED, 0.0, trace.grid[:, :, -1]).max(axis=0)
        sick = np.flatnonzero((failing > watch.normal) | (backlog > watch.backlog_s))
        if sick.size:
            self._sick_until = max(self._sick_until, float(minute * MINUTE_S + sick[-1] + 1))

    def _note(self, tier: Tier, trace: Trace, asked: Asked) -> None:
        """Add up what the tier went through."""
        seen = self._seen[tier]
        mean = float(trace.rho.mean(axis=1).mean())
        seen.minutes += 1
        seen.rho_sum += mean
        seen.rho_peak = max(seen.rho_peak, mean)
        for name, share in trace.shares.items():
            seen.how[name] = seen.how.get(name, 0.0) + share
        for kind, (calls, elements) in asked.counts.items():
            old = seen.counts.get(kind, (0, 0))
            seen.counts[kind] = (old[0] + calls, old[1] + elements)

    def _note_row(self, row: Row, traces: dict[Tier, Trace], asked: dict[Tier, Asked], before: dict[Tier, State]) -> None:
        """What the tiers did in this minute."""
        fleet = self._loads.tiers.fleet
        for tier in Tier:
            by_shard = traces[tier].rho.mean(axis=1)
            row.rho[tier.value], row.rho_busiest[tier.value] = float(by_shard.mean()), float(by_shard.max())
            for kind, (_, elements) in asked[tier].counts.items():
                row.rho_by_kind[kind.name] = asked[tier].rho[kind]
                row.elements[kind.name] = elements // replicas(kind, fleet)
            moved = (self._states[tier].counts - before[tier].counts).sum(axis=(0, 1)).tolist()
            for name, number in zip(COUNTED, moved, strict=True):
                row.calls[name] = row.calls.get(name, 0) + number
        row.push_p99_s = _push_p99_s(traces[Tier.REDIS], before[Tier.REDIS], self._states[Tier.REDIS])

    def _row(self, minute: int, effect: Effect, page: Minute, warm: Minute, sign: Sign) -> Row:
        return Row(
            t_s=minute * MINUTE_S, reads=0, opened=effect.opened, rebuilds=effect.rebuilds,
            cold_users=int(self._states[Tier.REDIS].cold.sum()), p50_ms=None, p99_ms=None, failed=int(page.failed.sum()), pages=page.pages,
            rho={}, rho_busiest={}, rho_by_kind={}, backlog_s=sign.backlog_s,
            steps_ms={kind.name.lower(): seconds * 1e3 for kind, seconds in warm.by_step.items()},
            refused={kind.name.lower(): share for kind, share in warm.refused.items()},
            push_p99_s=None, likes=effect.likes, elements={}, calls={},
        )  # fmt: skip


def _push_p99_s(trace: Trace, before: State, after: State) -> float | None:
    """What 99 of 100 pushes waited at most; the limit where more than one of them failed; nothing where there were none."""
    at = kinds_of(Tier.REDIS).index(Kind.PUSH)
    moved = dict(zip(COUNTED, (after.counts - before.counts)[:, at].sum(axis=0).tolist(), strict=True))
    if moved["shed"] + moved["timed_out"] > 0.01 * max(1, moved["first"] + moved["retried"]):
        return trace.server.timeout_s
    return float(value_at(trace.responses[at], 0.99)) if trace.responses[at].any() else None


def _ms(counts: Ints, q: float) -> float | None:
    """A quantile in milliseconds, where a hundred samples lie above it."""
    total = int(counts.sum())
    if total * (1 - q) < 100:
        return None
    return min(float(value_at(np.asarray(counts), q)), DEADLINE_S) * 1e3


def _together(signs: list[Sign]) -> Sign:
    """All tiers as one: what fails or waits in the worst of them, so that a tier with few calls is not lost among many."""
    failing = max(signs, key=lambda one: one.failing)
    waiting = max(one.waiting / max(1, one.offered) for one in signs)
    return Sign(
        failing.at_s, failing.offered, failing.failed, round(waiting * failing.offered), max(one.backlog_s for one in signs),
        max(one.mean_backlog_s for one in signs),
    )  # fmt: skip
