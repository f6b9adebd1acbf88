"""How many nodes, at least, how sure, on what, and what would change the answer: Monte Carlo over the intervals on the surrogate.

Need is the nodes at the fleet's own limits; what to have is the need in enough worlds and one node (a step) more. Tiers whose
work nobody has measured get no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from ..kinds import Tier
from ..verdict_schema import Flip, SurrogateError, TierPlan
from .fleet import TIERS, Fleet
from .judge import CONFIDENCE, SIZED, UNNAMED, UNSIZED, Judgement, judge
from .options import Priced, cheapest, options, priced, with_nodes
from .sensitivity import Weight, flips, weights
from .surrogate import Surrogate, home_p99_ms
from .worlds import Floats, Input, Worlds, changed, draw, middle, time_inputs

QUANTILES = (95.0, 97.0, 98.0, 99.0, 99.5, 100.0)
GROWS = ("reads_per_day", "tweets_per_day", "accounts", "weekly_active")
YEARS_MAX = 20.0
RUNS = 8
Full = Callable[[Mapping[str, float], Mapping[str, float]], Mapping[str, float]]


class Settings(NamedTuple):
    """`growth`: people and load next year over this year. `values`: other middle values of inputs."""

    worlds: int = 512
    seed: int = 7
    growth: float = 1.0
    horizon_years: float = 0.0
    values: Mapping[str, float] = {}


class Planned(NamedTuple):
    """`given` is the fleet as it was named, `fleet` as planned; `judged` is of `given` where it names nodes, else of `fleet`."""

    settings: Settings
    given: Surrogate
    planned: Surrogate
    inputs: Mapping[str, Input]
    weights: Mapping[str, Weight]
    worlds: Worlds
    middle: Worlds
    tiers: Sequence[TierPlan]
    judged: Judgement
    p99_ms: Floats
    flips: Sequence[tuple[str, float]]

    @property
    def is_named(self) -> bool:
        """Whether a present fleet is judged."""
        return any(getattr(self.given.fleet, tier).nodes for tier in TIERS)


def plan(surrogate: Surrogate, counts: Mapping[str, Input], settings: Settings, say: Callable[[int, str], None] = lambda _n, _s: None) -> Planned:
    """Size every tier, judge the fleet. `say(done, what)` is told after each of six steps. Raises `Invalid` for bad inputs."""
    grown = _grown(changed(counts, settings.values), settings.growth**settings.horizon_years)
    inputs = {**grown, **time_inputs(surrogate.works)}
    world, worlds = middle(grown, surrogate.works), draw(grown, surrogate.works, settings.worlds, settings.seed)
    if surrogate.loads is not None and surrogate.base is None:
        surrogate = surrogate._replace(base=middle(counts, surrogate.works))
    chosen: dict[Tier, list[Priced]] = {}
    for at, tier in enumerate(map(Tier, TIERS)):
        chosen[tier] = cheapest([priced(surrogate, one, worlds) for one in options(surrogate.fleet, tier)])
        say(at + 1, str(tier))
    planned = surrogate._replace(fleet=_together(surrogate, chosen, world, worlds))
    judged_of = surrogate if any(getattr(surrogate.fleet, tier).nodes for tier in TIERS) else planned
    judged = judge(judged_of, world, worlds)
    tiers = [_tier_plan(surrogate, planned, tier, chosen[tier], inputs=inputs, world=world, counts=grown, growth=settings.growth) for tier in chosen]
    metric = _metric(judged_of)
    found = Planned(
        settings=settings, given=surrogate, planned=planned, inputs=inputs, weights=weights(metric, inputs, worlds, world), worlds=worlds,
        middle=world, tiers=tiers, judged=judged, p99_ms=home_p99_ms(judged_of, worlds, judged_of.used(worlds)),
        flips=[(flip.input, flip.value) for flip in flips(lambda there: 1 - metric(there), inputs, world)],
    )  # fmt: skip
    say(len(chosen) + 1, "what decides")
    return found


def filled(surrogate: Surrogate, counts: Mapping[str, Input], *, worlds: int = 64, seed: int = 7) -> Fleet:
    """The fleet with nodes for every tier that names none, so that a run has somewhere to run: the need in 95 of 100 worlds and one
    more; of unsized tiers too, by priors that nobody should size by (a run's document says so in `status`)."""
    drawn = draw(counts, surrogate.works, worlds, seed)
    missing = [tier for tier in map(Tier, TIERS) if not getattr(surrogate.fleet, tier).nodes]
    found = {tier: priced(surrogate, options(surrogate.fleet, tier)[0], drawn) for tier in missing}
    return with_nodes(surrogate.fleet, {tier: _to_have(tier, one, 95.0, surrogate.fleet) for tier, one in found.items()})


def errors(surrogate: Surrogate, worlds: Worlds, full: Full, runs: int = RUNS) -> list[SurrogateError]:
    """The surrogate against full runs of `runs` worlds, from the lightest to the heaviest. `full(counts, times)` runs one world and
    answers utilisations by `tier.resource`; `times` are places in the intervals (0 to 1) by `tier.part`, as `work.draw` fixes them."""
    order = np.argsort(_metric(surrogate)(worlds), kind="stable")
    found = []
    for number in (int(one) for one in order[np.linspace(0, worlds.number - 1, min(runs, worlds.number)).astype(int)]):
        one = Worlds(
            1, {name: value[number : number + 1] for name, value in worlds.counts.items()},
            {name: value[number : number + 1] for name, value in worlds.times.items()},
        )  # fmt: skip
        said = {f"{tier}.{name}": float(value[0]) for tier, by in surrogate.used(one).items() for name, value in by.items()}
        counted = full({name: float(v[0]) for name, v in one.counts.items()}, {name: float(v[0]) for name, v in one.times.items()})
        found += [SurrogateError(world=number, metric=name, surrogate=said[name], full=counted[name]) for name in said if name in counted]
    return found


def _grown(inputs: Mapping[str, Input], times: float) -> dict[str, Input]:
    """Load and people so many times larger, intervals and all; sources stay."""
    grown = dict(inputs)
    for name in GROWS:
        one = inputs[name]
        interval = type(one.interval)(one.interval.value * times, one.interval.low * times, one.interval.high * times)
        grown[name] = one._replace(interval=interval)
    return grown


def _metric(surrogate: Surrogate) -> Callable[[Worlds], Floats]:
    """How far the fullest sized and named resource is up to its limit: 1 is at the limit."""
    named = [tier for tier in map(Tier, TIERS) if getattr(surrogate.fleet, tier).nodes]

    def fullest(worlds: Worlds) -> Floats:
        primaries = np.full(worlds.number, float(max(1, surrogate.fleet.redis_primaries)))
        needs = {Tier.REDIS: surrogate.redis(worlds, primaries), **surrogate.others(worlds)}
        parts = [
            need.nodes / getattr(surrogate.fleet, tier).nodes
            for tier in named for resource, need in needs[tier].by.items() if resource != "cpu" or tier not in surrogate.unsized
        ]  # fmt: skip
        result: Floats = np.max(parts, axis=0) if parts else np.zeros(worlds.number)
        return result

    return fullest


def _together(surrogate: Surrogate, chosen: Mapping[Tier, list[Priced]], world: Worlds, worlds: Worlds) -> Fleet:
    """The cheapest option of each sized tier with as many nodes as make the whole hold in enough worlds."""
    fleet = surrogate.fleet
    for tier, found in chosen.items():
        if tier in surrogate.unsized:
            continue
        fleet = msgspec.structs.replace(fleet, **{tier.value: getattr(found[0].option.fleet, tier)})
    for quantile in QUANTILES:
        nodes = {tier: _to_have(tier, found[0], quantile, fleet) for tier, found in chosen.items() if tier not in surrogate.unsized}
        planned = with_nodes(fleet, nodes)
        if judge(surrogate._replace(fleet=planned), world, worlds).held >= CONFIDENCE:
            break
    return planned


def _to_have(tier: Tier, found: Priced, quantile: float, fleet: Fleet) -> int:
    """The need in that share of worlds, and one node more: where a zone gets as many as another, one a zone."""
    need = math.ceil(float(np.percentile(found.need.nodes, quantile, method="higher")))
    return need + (fleet.zones if tier is Tier.CASSANDRA else 1)


def _tier_plan(
    given: Surrogate, planned: Surrogate, tier: Tier, found: list[Priced], *, inputs: Mapping[str, Input], world: Worlds,
    counts: Mapping[str, Input], growth: float,
) -> TierPlan:  # fmt: skip
    best, second = found[0], found[1] if len(found) > 1 else None
    have = getattr(given.fleet, tier).nodes
    unsized = tier in given.unsized
    low, mid, high = (math.ceil(float(np.percentile(best.need.nodes, share, method="higher"))) for share in (5, 50, 95))
    nodes = getattr(planned.fleet, tier).nodes
    ours = priced(given, options(given.fleet, tier)[0], world)
    least = np.min([one.cost for one in found], axis=0)
    binding = priced(given, best.option, world).need.binding(0)
    one_node = float(np.mean(best.cost / best.need.nodes))
    number = None if unsized else nodes
    status = UNSIZED if unsized else SIZED if have else UNNAMED
    return TierPlan(
        tier=tier, choice=best.option.name, nodes_p5=None if unsized else low, nodes_p50=None if unsized else mid,
        nodes_p95=None if unsized else high, nodes=number, have=have or None, binding="unsized: run calibrate" if unsized else binding,
        headroom_x=None if unsized or not have else have / float(ours.need.nodes[0]),
        lasts_years=None if unsized else lasts(given if have else planned, tier, have or nodes, counts, growth),
        cost_yr=None if unsized else nodes * one_node, runner_up=second.option.name if second and not unsized else None,
        runner_up_cost_yr=None if unsized or second is None else float(np.mean(second.cost)) * nodes / max(float(np.mean(best.need.nodes)), 1),
        regret=None if unsized else float(np.mean(best.cost - least)),
        flips_at=None if unsized or second is None else _flip(given, best, second, inputs, world), status=status,
    )  # fmt: skip


def _flip(given: Surrogate, best: Priced, second: Priced, inputs: Mapping[str, Input], world: Worlds) -> Flip | None:
    """The input nearest to its middle that would make the runner-up the cheaper one."""

    def dearer(worlds: Worlds) -> Floats:
        ours, theirs = (priced(given, one.option, worlds).cost for one in (best, second))
        return theirs - ours

    return next(iter(flips(dearer, inputs, world)), None)


def lasts(surrogate: Surrogate, tier: Tier, nodes: int, counts: Mapping[str, Input], growth: float) -> float | None:
    """Years until the middle load needs more nodes than these; None where nothing grows, `YEARS_MAX` at most."""
    if growth <= 1:
        return None

    def fits(years: float) -> bool:
        there = middle(_grown(counts, growth**years), surrogate.works)
        return float(surrogate.need(there, tier).nodes[0]) <= nodes

    if not fits(0):
        return 0.0
    low, high = 0.0, YEARS_MAX
    if fits(high):
        return high
    while high - low > 1 / 12:
        half = (low + high) / 2
        low, high = (half, high) if fits(half) else (low, half)
    return round(low, 2)
