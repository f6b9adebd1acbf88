"""Draws the demo world: who there is, who follows whom, who said what over the last day. Pure: a seed gives a world.

People are numbered from 1 in the order of their accounts. Popularity is Zipf-like with exponent 0.8, so that a few are
followed by many; the star is apart, with exactly `STAR_FOLLOWERS`.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from ...core.ids import NODES, id_at
from ...core.model import Tweet
from . import words

PEOPLE = 20_000
STAR, STAR_FOLLOWERS = 2, 15_000
LOGINS = {1: "ada", STAR: "nova", 3: "grace"}  # the only accounts with a password
FOLLOWEES_MEAN = 8
TWEETS = 12_000
LIKES = 30_000
DAY_MS = 86_400_000
NODE = NODES - 1  # dated tweets take a node that no process leases


class World(msgspec.Struct, frozen=True):
    """`follows` (m, 2) follower, followee; `tweets` in order of id; `likes` (k, 2) user, tweet."""

    names: list[str]
    follows: npt.NDArray[np.int64]
    tweets: list[Tweet]
    likes: npt.NDArray[np.int64]


def draw(seed: int, now_ms: int) -> World:
    """Draw the world as of `now_ms`; its oldest tweet is a day old."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, PEOPLE + 1) ** 0.8
    popular = rng.permutation(PEOPLE)[np.argsort(-weights)] + 1  # rank → person
    follows = _follows(rng, popular, weights / weights.sum())
    names = _names()
    tweets = _tweets(rng, names, popular, weights / weights.sum(), now_ms)
    return World(names, follows, tweets, _likes(rng, tweets))


def _names() -> list[str]:
    names = [f"{first}_{last}" for last in words.LAST for first in words.FIRST][:PEOPLE]
    for number, name in LOGINS.items():
        names[number - 1] = name
    return names


def _follows(rng: np.random.Generator, popular: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    fans = rng.choice(np.setdiff1d(np.arange(1, PEOPLE + 1), [STAR, 1]), STAR_FOLLOWERS - 1, replace=False)
    to_star = np.column_stack([np.append(fans, 1), np.full(STAR_FOLLOWERS, STAR)])
    drawn = PEOPLE * FOLLOWEES_MEAN
    others = np.column_stack([rng.integers(1, PEOPLE + 1, drawn), popular[rng.choice(PEOPLE, drawn, p=weights)]])
    for number in LOGINS:  # whoever logs in finds a full home
        mine = np.column_stack([np.full(60, number), popular[:60]])
        others = np.vstack([others, mine])
    keep = (others[:, 0] != others[:, 1]) & (others[:, 1] != STAR)
    edges: npt.NDArray[np.int64] = np.unique(np.vstack([to_star, others[keep]]), axis=0).astype(np.int64)
    return edges


def _tweets(
    rng: np.random.Generator, names: list[str], popular: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], now_ms: int,
) -> list[Tweet]:
    moments = np.sort(rng.integers(now_ms - DAY_MS, now_ms, TWEETS))
    talk = np.sqrt(weights)  # the followed talk more than others, but not as much more as they are followed
    authors = popular[rng.choice(PEOPLE, TWEETS, p=talk / talk.sum())]
    authors[::400] = STAR
    kinds = rng.choice(4, TWEETS, p=[0.55, 0.25, 0.15, 0.05])  # original, reply, retweet, quote
    back = rng.geometric(0.02, TWEETS)  # how many originals or replies back the one lies that is answered
    picks = rng.integers(0, 1 << 31, TWEETS)
    said: list[Tweet] = []  # everything that can be answered
    tweets: list[Tweet] = []
    retweeted: set[tuple[int, int]] = set()
    for number in range(TWEETS):
        kind = int(kinds[number]) if len(said) > 100 else 0
        about = said[-min(int(back[number]), len(said))] if kind else None
        author = int(authors[number])
        if kind == 2 and about is not None and (author, about.tweet_id) in retweeted:
            kind, about = 0, None
        made_ms = int(moments[number])
        tweet_id = id_at(made_ms, NODE, number % 4096)
        tweet = _tweet(kind, author, about, tweet_id=tweet_id, made_ms=made_ms, names=names, pick=int(picks[number]))
        tweets.append(tweet)
        if tweet.retweet_of:
            retweeted.add((author, tweet.retweet_of))
        else:
            said.append(tweet)
    return tweets


def _tweet(kind: int, author: int, about: Tweet | None, *, tweet_id: int, made_ms: int, names: list[str], pick: int) -> Tweet:
    if kind == 1 and about is not None:
        name = names[about.author_id - 1]
        return Tweet(
            tweet_id=tweet_id, author_id=author, created_ms=made_ms, text=f"@{name} {words.REPLIES[pick % len(words.REPLIES)]}",
            reply_to=about.tweet_id, reply_to_author=about.author_id, conversation_id=about.conversation_id,
            mentions=(about.author_id,), mention_names=(name,),
        )
    if kind == 2 and about is not None:
        return Tweet(
            tweet_id=tweet_id, author_id=author, created_ms=made_ms, conversation_id=tweet_id,
            retweet_of=about.tweet_id, retweet_of_author=about.author_id,
        )
    tag = words.TAGS[pick % len(words.TAGS)]
    if kind == 3 and about is not None:
        return Tweet(
            tweet_id=tweet_id, author_id=author, created_ms=made_ms, conversation_id=tweet_id,
            text=words.QUOTES[pick % len(words.QUOTES)], quote_of=about.tweet_id, quote_of_author=about.author_id,
        )
    opening, topic = words.OPENINGS[pick % len(words.OPENINGS)], words.TOPICS[pick // 32 % len(words.TOPICS)]
    return Tweet(
        tweet_id=tweet_id, author_id=author, created_ms=made_ms, conversation_id=tweet_id,
        text=f"{opening} {topic} #{tag}", hashtags=(tag,),
    )


def _likes(rng: np.random.Generator, tweets: list[Tweet]) -> npt.NDArray[np.int64]:
    liked = np.array([tweet.tweet_id for tweet in tweets if not tweet.retweet_of], dtype=np.int64)
    ranks = np.minimum(rng.zipf(1.3, LIKES) - 1, len(liked) - 1)
    pairs = np.column_stack([rng.integers(1, PEOPLE + 1, LIKES), rng.permutation(liked)[ranks]])
    distinct: npt.NDArray[np.int64] = np.unique(pairs, axis=0)
    return distinct
