"""What a run is asked to play: people, rules, a fleet, a stretch of time, what happens in it, and what was promised.

Plain frozen data. The files it is read from, and the table of what may stand in them, are in `scenarios/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Happening(StrEnum):
    """Kinds of events."""

    POST = "post"  # an account with so many followers posts
    REFRESH = "refresh"  # a share of the people comes back at once and finds cold timelines
    NODE_LOSS = "node-loss"  # one node of a tier dies and comes back empty
    SURGE = "surge"  # everything that people do, times a factor, for a while


class Lists(StrEnum):
    """Where the lists of celebrities' newest tweets are read."""

    REDIS = "redis"  # each time from Redis
    TTL = "ttl"  # from a cache in the process, read again after `lists_ttl_s`
    EVENTS = "events"  # from a cache in the process that follows the event log


class Delivery(StrEnum):
    """How the tweet of an event's author travels; everybody else's go hybrid."""

    HYBRID = "hybrid"  # pushed up to the threshold, pulled above
    PUSH = "push"  # pushed to everybody, by the one worker of the author's partition
    PUSH_SUBTASKS = "push-subtasks"  # pushed to everybody, ranges of followers dealt to all workers
    PULL = "pull"  # read from the author's list by every follower


class Amount(msgspec.Struct, frozen=True):
    """A number that is an input, how far off it may be, and who says so."""

    value: float
    low: float
    high: float
    source: str = ""
    date: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens `at_s` seconds after the run's start. Which amounts it has is said by `scenarios/keys.py`."""

    name: str
    kind: Happening
    at_s: float
    amounts: Mapping[str, Amount]
    tier: str = "redis"

    def __getitem__(self, name: str) -> float:
        return self.amounts[name].value


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is run. The first four are the core's own limits."""

    celebrity_followers_min: int = 10_000
    timeline_entries_max: int = 800
    timeline_page_default: int = 50
    fanout_batch: int = 1_000
    inactive_after_days: float = 7
    lists: Lists | None = None  # these three: as the fleet has them
    lists_ttl_s: float | None = None
    layout: str | None = None
    delivery: Delivery = Delivery.HYBRID
    single_flight: bool = True  # one rebuild of a timeline at a time
    jitter_s: float = 60.0  # clients that all come back at once spread themselves over this
    retry_share: float = 0.1  # of calls refused or timed out, that come back
    retry_attempts: int = 3  # tries of one call; 0: without end
    retry_budget: float = 0.2  # retries allowed a first attempt
    shed_wait_s: float | None = None  # a longer wait is refused at the door; None: as long as a caller waits


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times in seconds of virtual time; `start_s` after midnight UTC."""

    name: str
    title: str = ""
    question: str = ""
    users: int = 500_000_000
    seed: int = 7
    preset: str = "design"
    population: Mapping[str, float] = {}  # parameters of the population that differ from the preset
    start_s: float = 0
    duration_s: float = 86_400
    mode: str = "drawn"
    rule: Rule = Rule()
    fleet: str = "design"
    slo: Mapping[str, float] = {}  # metric → limit: the promise is that it stays at or below
    events: tuple[Event, ...] = ()
    variants: Mapping[str, Mapping[str, object]] = {}  # name → settings that differ, played side by side
    growth_per_year: Amount | None = None
    horizon_s: float = 0  # how far ahead growth is looked at; 0: not at all
