"""What a fleet must carry: operations a second by kind. In closed form from the inputs (`basis: estimate`), or as a run
counted them, with the closed form only to carry them from the run's world to others (`basis: run`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from ...core.limits import Limits
from ..kinds import Kind
from .fleet import Fleet
from .worlds import Floats, Worlds

DAY_S = 86_400
ENTRY, ID, COUNTS, DELIVERY, EVENT = 16, 8, 32, 24, 96
TWEET, PROFILE = 400, 250
AUTHORS_A_TWEET = 0.6  # authors of a page over its tweets: a page of 50 shows some 30 people
LISTED = 50  # entries of a celebrity list that a read takes
CELEBRITIES = 500_000
CELEBRITY_BINS = 240
LIKED = 37  # rows of one's recent likes
REACTIONS = 1.2  # increments a tweet beside its likes: replies, retweets, quotes
LIMITS = Limits()


class Rate(NamedTuple):
    """A second, the mean of a day, in each world."""

    calls: Floats
    elements: Floats
    bytes: Floats


class KindLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What a run counted of one kind: means a second, and the busiest second over the mean."""

    calls: float
    elements: float
    bytes: float
    peak: float = 1.0


class Loads(msgspec.Struct, frozen=True, kw_only=True):
    """A run's counts, for the planner: by name of the kind; and the hottest shard of each tier over the mean one."""

    basis: str = "run"
    kinds: Mapping[str, KindLoad]
    hot_shard_x: Mapping[str, float] = {}


def estimated(worlds: Worlds, fleet: Fleet, primaries: Floats) -> dict[Kind, Rate]:
    """The closed form. `primaries`: Redis instances that serve, over which a page's keys lie scattered."""
    return {**_reading(worlds, fleet, primaries), **_writing(worlds, fleet, primaries)}


def scaled(loads: Loads, worlds: Worlds, base: Worlds, fleet: Fleet, primaries: Floats) -> dict[Kind, Rate]:
    """A run's counts carried to other worlds: each kind by the ratio of its closed forms there and in the run's own world."""
    there, here = estimated(worlds, fleet, primaries), estimated(base, fleet, np.maximum(primaries[:1], 1))
    result = dict(there)
    for name, load in loads.kinds.items():
        kind = Kind[name]
        counted = (load.calls, load.elements, load.bytes)
        result[kind] = Rate(*(
            value * np.where(old > 0, new / np.maximum(old, 1e-300), 1.0)
            for value, new, old in zip(counted, there[kind], here[kind], strict=True)
        ))  # fmt: skip
    return result


def distinct(keys: Floats, places: Floats) -> Floats:
    """How many of `places` hold one of `keys` keys scattered at random: fifty ids touch some 40 of 100 shards."""
    result: Floats = places * -np.expm1(keys * np.log1p(-1 / np.maximum(places, 1.0 + 1e-9)))
    return np.minimum(result, np.maximum(keys, 0))


def _reading(worlds: Worlds, fleet: Fleet, primaries: Floats) -> dict[Kind, Rate]:
    reads = worlds["reads_per_day"] / DAY_S
    page = float(LIMITS.timeline_page_default)
    looked_at = 1.25 * (page + LIMITS.retweet_dedupe_window + 1)
    asked = 1 - worlds["process_hit"]
    tweets, people = reads * looked_at * asked, reads * looked_at * AUTHORS_A_TWEET * asked
    missed = tweets * (1 - worlds["tweet_cache_hit"])
    lists = reads * _lists_a_read(worlds, fleet, reads)
    cold = reads * worlds["cold_reads"]
    kept = float(fleet.redis.entries)
    likes = worlds["tweets_per_day"] / DAY_S * worlds["likes_per_tweet"]
    return {
        Kind.HOME_IDS: Rate(reads, reads * looked_at, reads * looked_at * ENTRY),
        Kind.CELEB_LIST: Rate(lists, lists * LISTED, lists * LISTED * ENTRY),
        Kind.HYDRATE: Rate(reads * distinct(looked_at * asked, primaries), tweets, tweets * TWEET),
        Kind.HYDRATE_MISS: Rate(missed, missed, missed * TWEET),
        Kind.USERS: Rate(reads * distinct(looked_at * AUTHORS_A_TWEET * asked, primaries), people, people * PROFILE),
        Kind.TWEET_COUNTS: Rate(reads * distinct(page * np.ones_like(reads), primaries), reads * page, reads * page * COUNTS),
        Kind.FOLLOWING: Rate(reads * asked, reads * asked * worlds["following"], reads * asked * worlds["following"] * ID),
        Kind.VIEWER: Rate(3 * reads * asked, reads * asked * LIKED, reads * asked * LIKED * ID),
        Kind.REBUILD_READ: Rate(cold * worlds["following"], cold * kept, cold * kept * ENTRY),
        Kind.REBUILD_WRITE: Rate(2 * cold, cold * kept, cold * kept * ENTRY),
        Kind.REQUEST: Rate(reads + likes, reads * page, reads * worlds["page_bytes"]),
    }


def _lists_a_read(worlds: Worlds, fleet: Fleet, reads: Floats) -> Floats:
    """Celebrity lists that a read takes from Redis, by where they live: every one; what a process cache with a time to live
    has lost; none, where processes follow the event log."""
    if fleet.redis.celebrity_lists == "events":
        return np.zeros_like(reads)
    width = worlds["following"] * worlds["celebrity_edges"] * worlds["pull_weight"]
    if fleet.redis.celebrity_lists == "redis":
        return width
    processes = max(1, fleet.gateway.nodes * fleet.machine("gateway").vcpu)
    share, many = _celebrity_shares()
    missed = np.zeros_like(reads)
    for one, number in zip(share, many, strict=True):
        rate = reads * width * one
        missed += number * rate / (1 + rate * fleet.redis.lists_ttl_s / processes)
    return missed / reads


def _celebrity_shares() -> tuple[Floats, Floats]:
    """Celebrities in bins by rank: the share of all list reads that one of a bin gets, and how many are in it."""
    edges = np.unique(np.geomspace(1, CELEBRITIES + 1, CELEBRITY_BINS).astype(np.int64)).astype(np.float64)
    middle, many = np.sqrt(edges[:-1] * (edges[1:] - 1 + 1e-9)), np.diff(edges)
    followers = np.minimum(133.3e6, 61e6 * (np.maximum(middle, 1) / 20) ** -0.78)
    share = followers / (followers * many).sum()
    return share, many


def _writing(worlds: Worlds, fleet: Fleet, primaries: Floats) -> dict[Kind, Rate]:
    tweets = worlds["tweets_per_day"] / DAY_S
    resident = np.minimum(1.0, worlds["weekly_active"] / worlds["accounts"])
    below = worlds["following"] * (1 - worlds["celebrity_edges"]) * worlds["push_coupling"]
    pushed = tweets * (below * resident + 2)  # the author's own row when posting, and once more by the fan-out
    calls = pushed if fleet.redis.push == "pipeline" else tweets * (distinct(below * resident, primaries) + 2)
    pages, likes = tweets * (1 + below / LIMITS.fanout_batch), tweets * worlds["likes_per_tweet"]
    counts, events = likes + REACTIONS * tweets, likes + tweets
    return {
        Kind.PUSH: Rate(calls, pushed, pushed * DELIVERY),
        Kind.FOLLOWERS_PAGE: Rate(pages, tweets * below, tweets * below * ID),
        Kind.PUT_TWEET: Rate(tweets, tweets, tweets * TWEET),
        Kind.LIKE: Rate(likes, likes, likes * ID * 2),
        Kind.COUNT: Rate(counts, counts, counts * ID),
        Kind.EVENT: Rate(events, events, events * EVENT + tweets * TWEET),
    }
