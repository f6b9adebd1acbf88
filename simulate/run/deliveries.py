"""From a tweet to its followers: how long deliveries take when a large author posts, by each way that his tweet may travel.

Side by side it is his tweet alone that travels otherwise; everybody else stays hybrid. Tweets of the minutes around are drawn from
the people in proportion to how often they tweet; partitions, workers and ranges are those of `queues.kafka`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..day.blocks import DAY_S
from ..kinds import Kind
from ..population.calibrate import sample_users
from ..queues.chance import key_of
from ..queues.kafka import Consumers, deliver
from ..queues.model import Floats, Ints
from ..queues.quantiles import ABOVE_MIN
from .happenings import pushes
from .loads import MINUTE_S, Extra
from .prepare import Prepared
from .scenario import Delivery, Event, Happening

AROUND_S = (120.0, 600.0)  # tweets so long before and after the post are played
ENOUGH = 12_000  # tweets of which a p99 is told: it needs 10,000
AUTHORS = 1 << 16
POLL_S = 0.5  # assumed: a process that follows the log asks for news this often
CLASSES = ((0, "up to 100"), (101, "101 to 1,000"), (1_001, "1,001 to 10,000"), (10_001, "above 10,000"))


class Way(NamedTuple):
    """One way for the large author's tweet. Seconds; `writes`: to Redis; `waiting`: share of the others' tweets in the
    ten minutes after that take more than three times the p99 of before."""

    name: str
    visible_p99_s: float
    writes: int
    others_p99_s: float
    waiting: float
    busy: float
    longest_hold_s: float


class Class(NamedTuple):
    """Deliveries of authors with so many followers: seconds from post to last follower."""

    name: str
    p50_s: float
    p99_s: float | None
    most_s: float
    tweets: int


class Tweets(NamedTuple):
    """Drawn tweets in order of time."""

    at_s: Floats
    authors: Ints
    followers: Ints
    pushed: Ints


def ways(prepared: Prepared, event: Event) -> list[Way]:
    """All ways side by side."""
    tweets = _around(prepared, event.at_s)
    return [_way(prepared, event, tweets, delivery) for delivery in (Delivery.HYBRID, Delivery.PUSH, Delivery.PUSH_SUBTASKS, Delivery.PULL)]


def classes(prepared: Prepared, start_s: float = 0.0) -> list[Class]:
    """Deliveries of an undisturbed stretch, by size of author: ten minutes, or as long as it takes to see enough tweets."""
    enough = ENOUGH * DAY_S / max(1, prepared.day.totals.tweets)
    tweets = _around(prepared, start_s + AROUND_S[0], min(DAY_S, max(AROUND_S[1], enough)))
    done = deliver(tweets.at_s, tweets.authors, tweets.pushed, _consumers(prepared, ranges=True))
    last = done.last_s + POLL_S
    found = [_class("all authors", last)] if last.size else []
    for number, (least, name) in enumerate(CLASSES):
        most = CLASSES[number + 1][0] if number + 1 < len(CLASSES) else np.inf
        of = last[(tweets.followers >= least) & (tweets.followers < most)]
        if of.size:
            found.append(_class(f"{name} followers", of))
    return found


def _class(name: str, last: Floats) -> Class:
    p99 = float(np.quantile(last, 0.99)) if last.size >= 100 * ABOVE_MIN else None
    return Class(name, float(np.quantile(last, 0.5)), p99, float(last.max()), int(last.size))


def extra_pushes(prepared: Prepared, event: Event) -> dict[int, list[Extra]]:
    """What pushing this tweet adds to Redis, by minute of the run; nothing where it is not pushed."""
    way = prepared.scenario.rule.delivery
    if event.kind is not Happening.POST or way not in {Delivery.PUSH, Delivery.PUSH_SUBTASKS}:
        return {}
    resident = _resident(prepared, event)
    consumers = _consumers(prepared, ranges=way is Delivery.PUSH_SUBTASKS)
    alone = deliver(np.array([event.at_s]), np.array([1]), np.array([resident]), consumers)
    end = event.at_s + float(alone.last_s[0])
    found = {}
    for minute in range(int(event.at_s // MINUTE_S), int(end // MINUTE_S) + 1):
        edges = np.clip((minute * MINUTE_S + np.arange(MINUTE_S + 1) - event.at_s) / (end - event.at_s), 0.0, 1.0)
        reached: Ints = np.rint(resident * edges).astype(np.int64)
        by_second: Ints = np.diff(reached)
        keys = max(1.0, prepared.loads.day.rule.limits.fanout_batch / prepared.tiers.epoch.redis)
        found[minute] = [pushes(prepared.loads, by_second, keys, f"{event.name} {minute}")]
    return found


def _resident(prepared: Prepared, event: Event) -> int:
    day = prepared.day
    return round(event["followers"] * day.totals.residents / day.users)


def _consumers(prepared: Prepared, *, ranges: bool) -> Consumers:
    """A worker a partition; a delivery takes what Redis takes for it."""
    kafka = prepared.tiers.epoch.kafka
    return Consumers(partitions=kafka, workers=kafka, delivery_s=_delivery_s(prepared), ranges=ranges)


def _delivery_s(prepared: Prepared) -> float:
    theta = prepared.theta
    return float(theta.element[Kind.PUSH])


def _around(prepared: Prepared, at_s: float, after_s: float = AROUND_S[1]) -> Tweets:
    """The tweets of the minutes around a moment of the run."""
    day, scenario = prepared.day, prepared.scenario
    start = max(0.0, at_s - AROUND_S[0])
    first, last = int((scenario.start_s + start) // MINUTE_S), int((scenario.start_s + at_s + after_s) // MINUTE_S)
    chance = np.random.Generator(np.random.PCG64(key_of(scenario.seed, "tweets around", int(at_s))))
    by_minute = [int(day.tweets[:, minute % day.tweets.shape[1]].sum()) for minute in range(first, last)]
    at = np.concatenate([
        np.sort(chance.random(count)) * MINUTE_S + (first + number) * MINUTE_S - scenario.start_s for number, count in enumerate(by_minute)
    ])  # fmt: skip
    population = prepared.population
    some = sample_users(population.graph.users, population.seed, AUTHORS)
    rates = np.cumsum(population.tweet_rate(some))
    chosen = np.minimum(np.searchsorted(rates, chance.random(at.size) * rates[-1]), some.size - 1)
    followers = population.graph.in_degree(some)
    pushed = np.where(population.graph.is_celebrity(some), 0, np.rint(followers * day.totals.residents / day.users)).astype(np.int64)
    return Tweets(at, some[chosen] + 1, followers[chosen], pushed[chosen])


def _way(prepared: Prepared, event: Event, tweets: Tweets, delivery: Delivery) -> Way:
    """The large author's tweet among the others."""
    resident = _resident(prepared, event)
    pushed = resident if delivery in {Delivery.PUSH, Delivery.PUSH_SUBTASKS} else 0
    place = int(np.searchsorted(tweets.at_s, event.at_s))
    star = prepared.population.graph.celebrity_by_rank(0) + 1
    at, authors = np.insert(tweets.at_s, place, event.at_s), np.insert(tweets.authors, place, star)
    counts = np.insert(tweets.pushed, place, pushed)
    consumers = _consumers(prepared, ranges=delivery is not Delivery.PUSH)
    done = deliver(at, authors, counts, consumers)
    after = at > event.at_s
    first = done.first_s[place]
    visible = first + 0.99 * (done.last_s[place] - first) if pushed else first
    last = done.last_s
    before_p99 = float(np.quantile(last[at < event.at_s], 0.99)) if (at < event.at_s).any() else 0.0
    others = last[after] if after.any() else last[:1]
    waiting = float(np.mean(others > 3 * max(before_p99, 1e-3)))
    return Way(
        name=delivery.value, visible_p99_s=float(visible) + POLL_S, writes=pushed or 1, others_p99_s=float(np.quantile(others, 0.99)) + POLL_S,
        waiting=waiting, busy=done.busy, longest_hold_s=done.longest_hold_s,
    )  # fmt: skip
