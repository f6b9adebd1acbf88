"""From a scenario to what can be played: people, a day's load, tiers, one world of times, classes of readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np

from ...core.limits import DAY_MS, Limits
from ..day.result import DayLoad
from ..day.rule import NEW_YEAR_MS, DayRule, Lists, Mode
from ..fleet.fleet import Fleet, load_fleet
from ..fleet.memory import Layout
from ..fleet.surrogate import Surrogate
from ..fleet.worlds import Input, Worlds, changed, draw, middle, read_inputs
from ..population.calibrate import sample_users
from ..population.people import Population, open_population
from ..work import Theta, Works, open_work
from ..work import middle as middle_theta
from .days import kept_day
from .happenings import CLASSES, Classes
from .loads import RunLoads
from .scenario import Scenario
from .tiers import Tiers, theta_of, tiers_of

SAMPLE = 1 << 16
WORLDS = 512
LISTS = {"redis": Lists.REDIS, "ttl": Lists.TTL, "events": Lists.EVENTS}

Told = Callable[[str, int, int], None]  # step, done, total


class Prepared(NamedTuple):
    """All that a run stands on."""

    scenario: Scenario
    population: Population
    fleet: Fleet
    works: Works
    inputs: dict[str, Input]
    middle: Worlds
    worlds: Worlds
    tiers: Tiers
    day: DayLoad
    theta: Theta
    loads: RunLoads
    people: Classes


def prepare(scenario: Scenario, *, workers: int, tell: Told | None = None, work: str = "design", keep: bool = True) -> Prepared:
    """Open the population, count its day, and put the fleet's tiers beside it. Raises `Invalid`."""
    rule = scenario.rule
    threshold = None if rule.celebrity_followers_min == Limits().celebrity_followers_min else rule.celebrity_followers_min
    population = open_population(scenario.users, scenario.seed, scenario.preset, scenario.population, threshold)
    works = open_work(work)
    fleet = fleet_of(scenario)
    inputs = inputs_of(population)
    base = middle(inputs, works)
    limits = limits_of(scenario)
    tiers = tiers_of(Surrogate(fleet, works), inputs, limits, rule)
    counted = DayRule(
        mode=Mode(scenario.mode), lists=LISTS[fleet.redis.celebrity_lists],
        lists_ttl_s=fleet.redis.lists_ttl_s, start_ms=NEW_YEAR_MS, limits=limits, epoch=tiers.epoch,
        tweet_cache_hit=float(base["tweet_cache_hit"][0]),
    )  # fmt: skip
    progress = (lambda done, total: tell("users", done, total)) if tell else None
    day = kept_day(population, counted, threads=workers, progress=progress, keep=keep)
    theta = theta_of(middle_theta(works), fleet)
    loads = RunLoads(
        day, tiers, theta, process_hit=float(base["process_hit"][0]), start_s=round(scenario.start_s), seed=scenario.seed, workers=workers,
    )  # fmt: skip
    return Prepared(
        scenario, population, fleet, works, inputs, base, draw(inputs, works, WORLDS, scenario.seed), tiers, day, theta, loads,
        classes_of(population),
    )  # fmt: skip


def fleet_of(scenario: Scenario) -> Fleet:
    """The scenario's fleet, with the rules of the scenario where it has its own."""
    fleet, rule = load_fleet(scenario.fleet), scenario.rule
    redis = msgspec.structs.replace(
        fleet.redis, layout=Layout(rule.layout) if rule.layout else fleet.redis.layout, entries=rule.timeline_entries_max,
        celebrity_lists=rule.lists.value if rule.lists else fleet.redis.celebrity_lists,
        lists_ttl_s=fleet.redis.lists_ttl_s if rule.lists_ttl_s is None else rule.lists_ttl_s,
    )  # fmt: skip
    return msgspec.structs.replace(fleet, redis=redis)


def limits_of(scenario: Scenario) -> Limits:
    """The core's limits by the scenario's rules."""
    rule = scenario.rule
    return Limits(
        celebrity_followers_min=rule.celebrity_followers_min,
        celebrity_followers_exit=min(Limits().celebrity_followers_exit, rule.celebrity_followers_min),
        timeline_entries_max=rule.timeline_entries_max, timeline_page_default=rule.timeline_page_default,
        fanout_batch=rule.fanout_batch, inactive_after_ms=round(rule.inactive_after_days * DAY_MS),
    )  # fmt: skip


def inputs_of(population: Population) -> dict[str, Input]:
    """The planner's inputs, with what this population says in place of the design's."""
    params, users = population.params, population.graph.users
    per_account = users / params["accounts.total"]
    return changed(
        read_inputs(),
        {
            "reads_per_day": params["load.reads_per_day"] * per_account,
            "tweets_per_day": params["load.tweets_per_day"] * per_account,
            "accounts": float(users), "weekly_active": params.weekly_share * users,
        },
    )  # fmt: skip


def classes_of(population: Population) -> Classes:
    """People with a cached timeline in classes by how often they read, from a sample."""
    some = sample_users(population.graph.users, population.seed, SAMPLE)
    here = population.resident(some)
    rates = population.read_rate(some)[here] / 86_400
    followees = population.graph.out_degree(some)[here].astype(np.float64)
    order = np.argsort(rates, kind="stable")
    parts = np.array_split(order, CLASSES)
    weight = population.graph.users / len(some)
    return Classes(
        residents=np.array([round(len(part) * weight) for part in parts], np.int64),
        reads_per_s=np.array([float(rates[part].mean()) if len(part) else 0.0 for part in parts]),
        followees=np.array([float(followees[part].mean()) if len(part) else 0.0 for part in parts]),
    )
