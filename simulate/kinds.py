"""What a day is counted in: the operations that the core asks of the tiers, and how many of each.

A kind is one verb of a port as a server sees it; `Counts` are calls, elements and bytes, always integers. Counts come from
the core and can be trusted; times are the business of `work.py` and `queues/`, and never meet them here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from ..core.routing import Kept
from ..core.routing import Tier as Tier  # noqa: PLC0414 - part of what this module offers


class Kind(IntEnum):
    """One verb of a port. The comment says what an element is."""

    HOME_IDS = 0  # timelines.read: entries of a cached row
    CELEB_LIST = 1  # newest entries of pulled authors: one call an author; entries
    HYDRATE = 2  # tweets.get: tweets
    USERS = 3  # accounts.get, accounts.counts: users
    TWEET_COUNTS = 4  # engagement.counts: tweets
    FOLLOWING = 5  # graph.following: followees
    VIEWER = 6  # relations.blocks, engagement.recent_likes and liked, tweets.retweet_ids, one's own list: answers
    PUSH = 7  # timelines.push: readers, attempted
    FOLLOWERS_PAGE = 8  # graph.followers: followers
    REBUILD_READ = 9  # tweets.by_authors for a rebuild or below a row: one call an author; entries
    REBUILD_WRITE = 10  # timelines.begin and replace: entries
    PUT_TWEET = 11  # tweets.put: tweets, each with its events
    LIKE = 12  # engagement.like: rows
    COUNT = 13  # increments of a counter: one a like, retweet, reply or quote
    EVENT = 14  # events appended to the log
    REQUEST = 15  # requests at the gateway: answers; bytes of their bodies
    HYDRATE_MISS = 16  # the part of HYDRATE that the tweet cache does not hold: tweets


KEPT_OF = {
    Kind.HOME_IDS: Kept.HOME_ROW,
    Kind.CELEB_LIST: Kept.AUTHOR_LIST,
    Kind.HYDRATE: Kept.HOT_TWEET,
    Kind.USERS: Kept.PROFILE,
    Kind.TWEET_COUNTS: Kept.TWEET_COUNTS,
    Kind.FOLLOWING: Kept.FOLLOWING_SET,
    Kind.VIEWER: Kept.VIEWER,
    Kind.PUSH: Kept.HOME_ROW,
    Kind.FOLLOWERS_PAGE: Kept.FOLLOWERS,
    Kind.REBUILD_READ: Kept.USER_TWEETS,
    Kind.REBUILD_WRITE: Kept.HOME_ROW,
    Kind.PUT_TWEET: Kept.TWEET,
    Kind.LIKE: Kept.LIKES,
    Kind.COUNT: Kept.LIVE_COUNTS,
    Kind.EVENT: Kept.EVENTS,
    Kind.REQUEST: Kept.CONNECTION,
    Kind.HYDRATE_MISS: Kept.TWEET,
}

TIER_OF = {kind: kept.tier for kind, kept in KEPT_OF.items()}


class Counts(NamedTuple):
    """How much of one kind."""

    calls: int = 0
    elements: int = 0
    bytes: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.calls + other.calls, self.elements + other.elements, self.bytes + other.bytes)
