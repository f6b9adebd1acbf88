"""Which requests share which token bucket, and how full it is. Where the buckets live is the store's affair."""

from __future__ import annotations

import math
from enum import StrEnum
from ipaddress import IPv6Address

import msgspec

from ..clock import Clock
from ..errors import RateLimited
from ..limits import Limits
from ..ports import RateLimits
from .exchange import Header


class Rate(StrEnum):
    """Kinds of requests. `NONE` takes from no bucket."""

    NONE = "none"
    READS = "reads"  # a user's, or an address's without token
    POSTS = "posts"  # a user's tweets, retweets and quotes
    FOLLOWS = "follows"  # a user's
    SIGN_UPS = "sign-ups"  # an address's
    LOG_INS = "log-ins"  # an address's
    PASSWORDS = "passwords"  # an account's: every door that tries a password


class Bucket(msgspec.Struct, frozen=True):
    """So many at once, refilled at `per_s`."""

    name: str
    burst: int
    per_s: float


class Quota(msgspec.Struct, frozen=True):
    """What is left after taking one; `reset_s` until the bucket is full again."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> tuple[Header, ...]:
        return (
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset_s),
        )


class RateLimiter:
    """Takes from the buckets of `limits`, or from none at all where it is switched off."""

    def __init__(self, rates: RateLimits, limits: Limits, clock: Clock, *, on: bool = True) -> None:
        self.on = on
        self._rates = rates
        self._clock = clock
        self._anonymous_reads = Bucket("reads-of", limits.rate_anonymous_reads_per_min, limits.rate_anonymous_reads_per_min / 60)
        self._buckets = {
            Rate.READS: Bucket("reads", limits.rate_reads_burst, limits.rate_reads_per_min / 60),
            Rate.POSTS: Bucket("posts", limits.rate_posts_per_3h, limits.rate_posts_per_3h / 10_800),
            Rate.FOLLOWS: Bucket("follows", limits.rate_follows_per_day, limits.rate_follows_per_day / 86_400),
            Rate.SIGN_UPS: Bucket("sign-ups", limits.rate_signups_per_h, limits.rate_signups_per_h / 3_600),
            Rate.LOG_INS: Bucket("log-ins", limits.rate_logins_per_min_address, limits.rate_logins_per_min_address / 60),
            Rate.PASSWORDS: Bucket("passwords", limits.rate_logins_per_min_account, limits.rate_logins_per_min_account / 60),
        }

    def take(self, rate: Rate, viewer: int, address: str) -> Quota | None:
        """Take one for this viewer, or for his address where he is nobody. `RateLimited` where none is left."""
        if rate is Rate.NONE or not self.on:
            return None
        if viewer:
            return self._take(self._buckets[rate], str(viewer))
        bucket = self._anonymous_reads if rate is Rate.READS else self._buckets[rate]
        return self._take(bucket, network_of(address))

    def take_password(self, account: str) -> Quota | None:
        """Take one try at the password of `account` (a name, compared without case)."""
        return self._take(self._buckets[Rate.PASSWORDS], account.lower()) if self.on else None

    def _take(self, bucket: Bucket, who: str) -> Quota:
        now_us = self._clock.monotonic_us()
        allowed, left, wait_s = self._rates.take(f"{bucket.name}:{who}", bucket.burst, bucket.per_s, now_us)
        reset_s = math.ceil((bucket.burst - left) / bucket.per_s)
        if not allowed:
            what = f"too many {bucket.name.partition('-of')[0]}"
            raise RateLimited(what, retry_after_s=max(1, math.ceil(wait_s)), limit=bucket.burst, reset_s=reset_s)
        return Quota(bucket.burst, left, reset_s)


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 that one IPv6 customer has for himself."""
    if ":" not in address:
        return address
    try:
        return f"{int(IPv6Address(address.partition('%')[0])) >> 64:x}/64"
    except ValueError:
        return address
