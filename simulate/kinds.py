"""What a day is counted in: the operations that the core asks of the tiers, and how many of each.

A kind is one verb of a port as a server sees it; `Counts` are calls, elements and bytes, always integers. Counts come from
the core and can be trusted; times are the business of `work.py` and `queues/`, and never meet them here.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Tier(StrEnum):
    """Where an operation is served."""

    GATEWAY = "gateway"
    REDIS = "redis"
    CASSANDRA = "cassandra"
    MYSQL = "mysql"
    KAFKA = "kafka"


class Kind(IntEnum):
    """One verb of a port. The comment says what an element is."""

    HOME_IDS = 0  # timelines.read: entries of a cached row
    CELEB_LIST = 1  # newest entries of pulled authors: one call an author; entries
    HYDRATE = 2  # tweets.get: tweets
    USERS = 3  # accounts.get: users
    TWEET_COUNTS = 4  # engagement.counts: tweets
    FOLLOWING = 5  # graph.following: followees
    VIEWER = 6  # relations.blocks, engagement.liked, tweets.retweet_ids: answers
    PUSH = 7  # timelines.push: readers, attempted
    FOLLOWERS_PAGE = 8  # graph.followers: followers
    REBUILD_READ = 9  # tweets.by_authors for a rebuild: one call a followee; entries
    REBUILD_WRITE = 10  # timelines.replace: entries
    PUT_TWEET = 11  # tweets.put: tweets, each with its events
    LIKE = 12  # engagement.like: rows
    COUNT = 13  # increments of a counter: one a like, retweet or reply
    EVENT = 14  # events appended to the log
    REQUEST = 15  # requests at the gateway: answers; bytes of their bodies


TIER_OF = {
    Kind.HOME_IDS: Tier.REDIS,
    Kind.CELEB_LIST: Tier.REDIS,
    Kind.HYDRATE: Tier.REDIS,  # what the tweet cache misses goes to Cassandra: `day` splits it by the hit ratio
    Kind.USERS: Tier.REDIS,
    Kind.TWEET_COUNTS: Tier.REDIS,
    Kind.FOLLOWING: Tier.REDIS,
    Kind.VIEWER: Tier.REDIS,
    Kind.PUSH: Tier.REDIS,
    Kind.FOLLOWERS_PAGE: Tier.MYSQL,
    Kind.REBUILD_READ: Tier.CASSANDRA,
    Kind.REBUILD_WRITE: Tier.REDIS,
    Kind.PUT_TWEET: Tier.CASSANDRA,
    Kind.LIKE: Tier.CASSANDRA,
    Kind.COUNT: Tier.CASSANDRA,
    Kind.EVENT: Tier.KAFKA,
    Kind.REQUEST: Tier.GATEWAY,
}


class Counts(NamedTuple):
    """How much of one kind."""

    calls: int = 0
    elements: int = 0
    bytes: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.calls + other.calls, self.elements + other.elements, self.bytes + other.bytes)
