"""How a day is counted: mode, who is pushed and who is pulled, how the tiers are cut, what caches hold."""

from __future__ import annotations

import hashlib
from enum import IntEnum, StrEnum

import msgspec

from ...core.errors import Invalid
from ...core.limits import DAY_MS, Limits
from ...core.routing import Epoch
from . import kernels

NEW_YEAR_MS = 1_798_761_600_000  # 2027-01-01 UTC: a day on which the population is as old as it says


CACHEABLE = ("HYDRATE", "USERS", "TWEET_COUNTS", "FOLLOWING", "VIEWER")


class Mode(StrEnum):
    """Drawn: resident followers from their share. Exact: enumerated, with the population's own tweets."""

    DRAWN = "drawn"
    EXACT = "exact"


class Delivery(IntEnum):
    """Who is pulled: nobody, everybody, or those with more followers than the graph's threshold."""

    PUSH = kernels.PUSH_ALL
    PULL = kernels.PULL_ALL
    HYBRID = kernels.HYBRID


class Lists(StrEnum):
    """Where the newest tweets of pulled authors are kept."""

    REDIS = "redis each time"
    TTL = "process cache with a TTL"
    EVENTS = "process cache that follows the event log"


class DayRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a day is counted by."""

    mode: Mode = Mode.DRAWN
    delivery: Delivery = Delivery.HYBRID
    lists: Lists = Lists.EVENTS
    lists_ttl_s: float = 10.0
    start_ms: int = NEW_YEAR_MS
    limits: Limits = Limits()
    epoch: Epoch = Epoch()
    tweet_cache_hit: float = 0.95  # of hydrated tweets that Redis holds; interval 0.85 to 0.99
    process_hits: dict[str, float] = {}  # by kind: what a process remembers between requests; nothing unless said
    deleted_before_delivery: float = 0.0  # share of tweets that are gone before their fan-out
    sampled_reads: int = 48  # pages looked at whole, for what depends on what people wrote
    sampled_tweets: int = 48

    def __post_init__(self) -> None:
        if self.start_ms % DAY_MS:
            raise Invalid("a day begins at midnight UTC", field="start_ms", meaning=f"a multiple of {DAY_MS}")
        if not self.limits.fanout_batch < kernels.SIZES - 1:
            raise Invalid("batches this large are not counted", field="fanout_batch", meaning=f"below {kernels.SIZES - 1}")
        for name in ("tweet_cache_hit", "deleted_before_delivery"):
            if not 0 <= getattr(self, name) <= 1:
                what = f"{name} is {getattr(self, name)}"
                raise Invalid(what, field=name, meaning="a share lies between 0 and 1")
        for name, hit in self.process_hits.items():
            if name not in CACHEABLE or not 0 <= hit <= 1:
                what = f"process_hits: {name} = {hit}"
                raise Invalid(what, field="process_hits", meaning=f"shares between 0 and 1 of {', '.join(CACHEABLE)}")
        if self.lists_ttl_s <= 0 or self.sampled_reads < 2 or self.sampled_tweets < 2:
            raise Invalid("a TTL is above 0 s, and a sample holds at least 2", field="lists_ttl_s")

    def signature(self, *about: object) -> str:
        """A short name of this rule and of what else a count depends on: only what agrees in it may be resumed."""
        return hashlib.sha256(msgspec.json.encode([msgspec.to_builtins(self), [str(one) for one in about]])).hexdigest()[:16]
