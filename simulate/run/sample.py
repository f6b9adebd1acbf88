"""The core in virtual time, sampled: one whole gateway process of the real core around the first event of a run.

`Watch` keeps the traces of the three minutes around it as the engine hands them over; when the run is played, `sample` has the
process live through them and says what its pages took beside what the queues' own sample says of the same seconds, how often
each kind was asked, and what the process caches held. Requests come at the rate of one process, or of as many together as
give the sample (`rate_x`); readers are drawn by how often they read. Where the sample is too small there is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...core.errors import Invalid, Unsupported
from ..day.rule import NEW_YEAR_MS
from ..kinds import Tier
from ..queues.chance import key_of
from ..queues.delays import traced
from ..queues.histogram import histogram
from ..queues.model import Delay
from ..queues.quantiles import Batches, Quantile
from ..queues.trace import Trace
from ..verdict_schema import CoreKind, CoreSample, Latency
from ..world.people import PopulationBase
from .engine import DEADLINE_S, Row
from .loads import MINUTE_S
from .pages import sampled, warm_steps
from .prepare import Prepared, limits_of
from .sample_door import Door
from .sample_process import Lived, Outcome, Post, Site, Told, live
from .sample_visits import Asked, Sizes, Span, author_of, span_of, visits
from .scenario import Event, Lists, Scenario

MINUTES = 3
BATCHES = 24
QUEUE_PAGES = 12_000
REMEMBERED = ("tweets", "users", "viewers")  # what `process_hit` is about


class Sampled(NamedTuple):
    """For the document: rows among its latencies, and the rest."""

    latency: list[Latency]
    core: CoreSample | None
    why_none: str = ""


class Watch:
    """Keeps what the engine saw of the minutes around the first event, or from the busiest one on where nothing happens."""

    def __init__(self, prepared: Prepared, scenario: Scenario) -> None:
        self.event = min(scenario.events, key=lambda event: event.at_s, default=None)
        self.from_s = self.event.at_s if self.event else _busiest(prepared, scenario) * float(MINUTE_S)
        first = max(0, int(self.from_s // MINUTE_S) - 1)
        self._wanted = range(first, first + MINUTES)
        self.asked: dict[int, Asked] = {}
        self.traces: dict[int, Mapping[Tier, Trace]] = {}

    def seen(self, row: Row, traces: Mapping[Tier, Trace], requests: int) -> None:
        """One minute, from the engine."""
        minute = row.t_s // MINUTE_S
        if minute in self._wanted:
            self.asked[minute] = Asked(requests, row.opened, row.rebuilds)
            self.traces[minute] = dict(traces)


def sample(prepared: Prepared, watch: Watch, *, sizes: Sizes = Sizes(), delay: Delay | None = None, tell: Told | None = None) -> Sampled:  # noqa: B008 - frozen
    """Let the process live. `delay` takes the place of the queues' own: the seam for faults."""
    tiers, scenario = prepared.tiers, prepared.scenario
    if not watch.asked:
        return Sampled([], None, "the run is over before the event")
    processes = tiers.servers[Tier.GATEWAY].servers * tiers.epoch.gateway
    span = span_of(watch.asked, watch.from_s, processes, sizes)
    author = author_of(prepared.population.graph, watch.event)
    coming = visits(
        prepared.population, watch.asked, span, processes, watch.event, author, seed=key_of(scenario.seed, "visits") >> 1, sizes=sizes
    )
    door = Door(
        delay or traced([one for traces in watch.traces.values() for one in traces.values()], prepared.works, prepared.theta),
        (max(watch.asked) + 1) * MINUTE_S * 1_000_000, 1.0 - prepared.day.rule.tweet_cache_hit, tiers.epoch.cassandra,
    )  # fmt: skip
    if not any(one.counted for one in coming):
        return Sampled([], None, "nobody came")
    try:
        lived = live(_site(prepared, door), coming, _post(watch.event, author, span), tell)
    except (Unsupported, Invalid) as error:  # a world that cannot be opened with these rules
        return Sampled([], None, str(error))
    return _told(prepared, watch, span, lived, sum(not one.counted for one in coming))


def _site(prepared: Prepared, door: Door) -> Site:
    scenario, redis = prepared.scenario, prepared.fleet.redis
    lists = {Lists.REDIS.value: 0.0, Lists.TTL.value: redis.lists_ttl_s, Lists.EVENTS.value: None}[redis.celebrity_lists]
    seed = key_of(scenario.seed, "process") >> 1
    return Site(
        base=PopulationBase(prepared.population, scenario.preset), limits=limits_of(scenario), epoch=prepared.tiers.epoch, door=door,
        shard=seed % prepared.tiers.epoch.gateway, seed=seed, start_ms=NEW_YEAR_MS + round(scenario.start_s * 1e3), lists_s=lists,
    )  # fmt: skip


def _post(event: Event | None, author: int, span: Span) -> Post | None:
    if event is None or not author:
        return None
    return Post(author, round(max(span.from_s, event.at_s) * 1e6), event["like_share"], event["retweet_share"])


def _told(prepared: Prepared, watch: Watch, span: Span, lived: Lived, warmed: int) -> Sampled:
    warm = [one for one in lived.outcomes if not one.visit.cold]
    cold = [one for one in lived.outcomes if one.visit.cold]
    end_us = max(one.visit.at_us for one in lived.outcomes) + 1
    beside = _queues(prepared, watch, round(span.from_s * 1e6), end_us)
    ours = _batches(warm)
    rows = [_latency("warm", "core", ours, beside), _latency("warm, same seconds", "queue", beside, None)]
    rows += [_latency("cold", "core", _batches(cold), None)] if cold else []
    called = [one for one in lived.outcomes if one.visit.called]
    answered = [one for one in called if not one.why]
    failed = {why: sum(one.why == why for one in lived.outcomes) for why in ("refused", "timed out", "deadline")}
    hits = {name: _share(lived.hits[name], lived.asked[name]) for name in lived.asked}
    pages = len(lived.outcomes)
    core = CoreSample(
        from_s=span.from_s, seconds=end_us / 1e6 - span.from_s, warmed=warmed, pages=pages, cold=len(cold), called=len(called),
        rate_per_s=span.rate, rate_x=span.joined, mean_ms=_ms(ours.mean_s), queue_mean_ms=_ms(beside.mean_s), hits=hits,
        hits_early={name: _share(lived.early_hits[name], lived.early_asked[name]) for name in lived.asked},
        process_hit=_share(sum(lived.hits[name] for name in REMEMBERED), sum(lived.asked[name] for name in REMEMBERED)),
        process_hit_assumed=prepared.loads.process_hit, failed=failed, saw=_share(sum(one.saw for one in answered), len(answered)),
        reactions=lived.reactions, reactions_failed=lived.reactions_failed,
        kinds=[
            CoreKind(kind=kind.name, calls=one.calls / pages, elements=one.elements / pages, loads_calls=prepared.loads.per_read(kind))
            for kind, one in lived.passed.items()
        ],
    )  # fmt: skip
    return Sampled(rows, core)


def _queues(prepared: Prepared, watch: Watch, from_us: int, end_us: int) -> Batches:
    """The vectorised estimate of the same seconds."""
    steps, found = warm_steps(prepared.loads, prepared.day.widths.mean_by_reads), Batches()
    width = -(-(end_us - from_us) // BATCHES)
    for number in range(BATCHES):
        start, stop = from_us + number * width, min(end_us, from_us + (number + 1) * width)
        minute = start // (MINUTE_S * 1_000_000)
        stop = min(stop, (minute + 1) * MINUTE_S * 1_000_000)
        if minute in watch.traces and stop > start:
            seed = key_of(prepared.scenario.seed, "beside", number)
            page = sampled(
                watch.traces[minute], steps, prepared.theta, pages=QUEUE_PAGES // BATCHES, seed=seed, deadline_s=DEADLINE_S, within_us=(start, stop)
            )
            found.add(page.counts, page.nanoseconds)
    return found


def _batches(outcomes: Sequence[Outcome]) -> Batches:
    """In the order in which they were asked for; a page that failed counts as one that took the deadline."""
    ordered = sorted(outcomes, key=lambda one: one.visit.at_us)
    took = np.array([DEADLINE_S if one.why else min(one.took_us / 1e6, DEADLINE_S) for one in ordered], np.float64)
    found = Batches()
    for part in np.array_split(took, BATCHES):
        if part.size:
            found.add(histogram(part), int(np.rint(part * 1e9).astype(np.int64).sum()))
    return found


def _latency(cohort: str, estimate: str, batches: Batches, beside: Batches | None) -> Latency:
    """`ci`, `n_eff` and `diff` are of the p99, or of the median where that is a gap."""
    half, most, last = (batches.quantile(share) for share in (0.5, 0.99, 0.999))
    diff = None
    if beside is not None:
        pairs = [(one.value, beside.quantile(one.q).value) for one in (most, half)]
        diff = next((ours / theirs for ours, theirs in pairs if ours is not None and theirs), None)
    sure: Quantile = most if most.value is not None else half
    return Latency(
        op="home_read", cohort=cohort, region="all", p50=_ms(half.value), p99=_ms(most.value), p999=_ms(last.value),
        ci=[_ms(sure.low), _ms(sure.high)], n=most.n, n_eff=sure.n_eff, estimate=estimate, diff=diff,
    )  # fmt: skip


def _busiest(prepared: Prepared, scenario: Scenario) -> int:
    """The minute of the run in which most is read."""
    reads = prepared.day.reads.sum(axis=0)
    minutes = max(1, round(scenario.duration_s / MINUTE_S))
    played = [int(reads[(round(scenario.start_s) // MINUTE_S + minute) % len(reads)]) for minute in range(minutes)]
    return played.index(max(played))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None or not np.isfinite(seconds) else seconds * 1e3
