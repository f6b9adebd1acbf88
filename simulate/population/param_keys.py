"""Which parameters a population has: unit, bounds and meaning of each. Values, intervals and sources are in presets/*.toml.

A parameter's `kind` says what it moves when it is wrong: a count, a share or rate (which scale counts), or a shape.
"""

from __future__ import annotations

from typing import NamedTuple

HUGE = 1e12
PROVINCES_MAX = 16


class Key(NamedTuple):
    """What a parameter may be."""

    low: float
    high: float
    unit: str
    what: str
    kind: str = "shape"


COUNT, RATE, SHAPE = "count", "rate", "shape"
KEYS = {
    "accounts.total": Key(1, HUGE, "accounts", "accounts that all other counts of people are out of", COUNT),
    "accounts.monthly": Key(1, HUGE, "accounts", "seen in 30 days", COUNT),
    "accounts.weekly": Key(1, HUGE, "accounts", "seen in 7 days: these have a cached timeline", COUNT),
    "accounts.daily": Key(1, HUGE, "accounts", "expected on a day", COUNT),
    "accounts.first_year": Key(2010, 2079, "year", "when the oldest account was made"),
    "accounts.last_year": Key(2010, 2079, "year", "by when the newest was made"),
    "accounts.growth": Key(1, 8, "exponent", "accounts made by a time ~ time to this power"),
    "load.tweets_per_day": Key(0, HUGE, "tweets", "by all accounts; retweets, replies and quotes are tweets", COUNT),
    "load.reads_per_day": Key(0, HUGE, "reads", "of home timelines, by all accounts", COUNT),
    "activity.tweeting_share": Key(0.001, 1, "of monthly", "who ever tweets; all others are zeros", RATE),
    "activity.sigma": Key(0.05, 4, "of ln rate", "spread of the rates of those who tweet"),
    "activity.cap_per_day": Key(1, 100_000, "tweets", "no account tweets more on an average day", RATE),
    "activity.followers_exponent": Key(0, 0.6, "exponent", "tweet rate ~ followers to this power, below saturation"),
    "activity.saturates_from": Key(1, HUGE, "followers", "where that power begins to fade"),
    "activity.saturates_at": Key(2, HUGE, "followers", "where nothing is left of it"),
    "reading.sigma": Key(0.05, 3, "of ln rate", "spread of the rates of daily readers"),
    "reading.tweeting_correlation": Key(0, 0.95, "of ranks", "those who read more tweet more"),
    "reading.following_exponent": Key(0, 0.6, "exponent", "read rate ~ followees to this power"),
    "clock.peak": Key(1.0, 6, "of mean", "busiest hour of the world's day over its mean", RATE),
    "clock.trough": Key(0.0, 1.0, "of mean", "quietest hour over the mean", RATE),
    "clock.stress_peak": Key(1.0, 6, "of mean", "peak of the stress curve", RATE),
    "tweets.replies": Key(0, 1, "of tweets", "share of replies", RATE),
    "tweets.retweets": Key(0, 1, "of tweets", "share of retweets", RATE),
    "tweets.quotes": Key(0, 1, "of tweets", "share of quotes; the rest are originals", RATE),
    "tweets.media": Key(0, 1, "of tweets", "share of originals, replies and quotes with media", RATE),
    "tweets.hashtags": Key(0, 1, "of tweets", "share with a hashtag", RATE),
    "tweets.hashtag_vocabulary": Key(1, 10_000_000, "tags", "how many hashtags there are", COUNT),
    "tweets.hashtag_exponent": Key(0.2, 3, "exponent", "use of the k-th hashtag ~ k to minus this"),
    "tweets.mentions": Key(0, 1, "of tweets", "share of originals and quotes that mention a followee", RATE),
    "tweets.links": Key(0, 1, "of tweets", "share of originals and quotes with a link", RATE),
    "reactions.likes_per_tweet": Key(0, 10_000, "likes", "mean over tweets that are not retweets", RATE),
    "reactions.followers_exponent": Key(0, 1.2, "exponent", "reactions ~ followers of the author to this power"),
    "reactions.sigma": Key(0, 4, "of ln", "spread between tweets of one author"),
    "reactions.retweets_first_hour": Key(0.05, 0.999, "of all", "share of retweets and likes within an hour", RATE),
    "reactions.replies_first_hour": Key(0.05, 0.999, "of all", "share of replies within an hour", RATE),
    "graph.mean_following": Key(1, 4_999, "followees", "mean over accounts", RATE),
    "graph.top_followers": Key(1_000, HUGE, "followers", "of the most followed of all accounts; smaller populations have it in proportion", COUNT),
    "graph.in_region_share": Key(0, 1, "of follows", "follows that stay inside a region", RATE),
}
REGION_KEYS = {
    "provinces": Key(1, 16, "provinces", "equal parts of the population that make up the region", COUNT),
    "utc_offset": Key(-12, 14, "hours", "its local time"),
}


def key_of(name: str) -> Key | None:
    """The key of a dotted name, regions included; `None` where there is none."""
    if name in KEYS:
        return KEYS[name]
    section, _, rest = name.partition(".")
    return REGION_KEYS.get(rest.rpartition(".")[2]) if section == "regions" and rest.count(".") == 1 else None
