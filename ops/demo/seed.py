"""Stores the demo world in an empty data directory and delivers it."""

from __future__ import annotations

import msgspec
import numpy as np

from ...core.errors import Conflict
from ...core.events import Event, EventKind
from ...core.model import NewAccount, NewFollow, NewTweet, Tweet
from ...core.service import Twit
from ..imports.people import Progress, batches
from .world import LOGINS, PEOPLE, STAR, World, draw

PASSWORD = "demo-password"  # noqa: S105 - printed at start: these three accounts are there to be used
SEED = 7
SHOWN = 50
BIO = "A generated person, followed by fifteen thousand others."  # written last: the mark of a whole world


class Seeded(msgspec.Struct, frozen=True):
    """What to print: a login, and one of his tweets' ids to try."""

    username: str
    password: str
    tweet_id: int
    people: int
    fresh: bool


def untold(_step: str, _done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""


async def seed_demo(twit: Twit, now_ms: int, seed: int = SEED, progress: Progress = untold) -> Seeded:
    """Fill an empty directory; a demo directory is left as it is; any other is refused (`Conflict`)."""
    count = await twit.stores.accounts.count()
    star = (await twit.stores.accounts.get([STAR]))[0]
    if count and (star is None or star.username != LOGINS[STAR]):
        raise Conflict(
            f"this data directory holds {count} accounts already", meaning="the demo would mix its people with yours",
            try_="TWIT_DATA=$(mktemp -d) twit serve --demo",
        )
    if not count:
        await _store(twit, draw(seed, now_ms), now_ms, progress)
    elif star is not None and not star.bio:
        raise Conflict(
            "an earlier start was stopped while it made the demo world", meaning="half a world is worth nothing to you",
            try_="delete the data directory, or give a live context another namespace, and start again",
        )
    return Seeded(LOGINS[1], PASSWORD, await _talked_about(twit), PEOPLE, fresh=not count)


async def _talked_about(twit: Twit) -> int:
    """Of the star's newest, the one with most replies: its thread is worth showing. 0 where somebody deleted them all."""
    newest = [tweet.tweet_id for tweet in (await twit.user_timeline(0, STAR, limit=SHOWN)).tweets if not tweet.retweet_of]
    counts = await twit.stores.engagement.counts(newest)
    return max(zip(newest, counts, strict=True), key=lambda one: one[1].replies, default=(0, None))[0]


async def _store(twit: Twit, world: World, now_ms: int, progress: Progress) -> None:
    hashed = await twit.accounts.hash_password(PASSWORD)
    logins = set(LOGINS)
    for start in range(0, PEOPLE, 5_000):
        await twit.stores.accounts.create([
            NewAccount(
                username=name, email=f"{name}@demo.invalid" if number in logins else "", created_ms=now_ms,
                password_hash=hashed if number in logins else "", display_name=name.replace("_", " ").title(),
            ) for number, name in enumerate(world.names[start : start + 5_000], start + 1)
        ])
    await twit.stores.timelines.open_empty(np.arange(1, PEOPLE + 1, dtype=np.int64), now_ms)
    pairs: list[tuple[int, int]] = [(int(a), int(b)) for a, b in world.follows.tolist()]
    progress("follows", 0, len(pairs))
    for number, chunk in enumerate(batches(pairs, 20_000), 1):
        await twit.stores.graph.follow(
            [NewFollow(follower=a, followee=b, merged=True, created_ms=now_ms) for a, b in chunk], twit.limits.following_max,
        )
        progress("follows", min(20_000 * number, len(pairs)), len(pairs))
    for chunk in batches(sorted(pairs, key=lambda edge: edge[1]), 20_000):  # each packed list is written once
        await twit.stores.graph.carry(chunk)
    await twit.stores.log.append([Event(kind=EventKind.MODE_CHECK, key=STAR, actor=STAR, at_ms=now_ms)])
    progress("tweets", 0, len(world.tweets))
    for number, tweets in enumerate(batches(world.tweets, 4_000), 1):
        await twit.stores.tweets.put([NewTweet(tweet=tweet, events=(_created(tweet, now_ms),)) for tweet in tweets])
        progress("tweets", min(4_000 * number, len(world.tweets)), len(world.tweets))
    likes: list[tuple[int, int]] = [(int(user), int(tweet)) for user, tweet in world.likes.tolist()]
    progress("likes", 0, len(likes))
    for number, liked in enumerate(batches(likes, 5_000), 1):
        await twit.stores.engagement.like(liked, now_ms, [()] * len(liked))
        progress("likes", min(5_000 * number, len(likes)), len(likes))
    await twit.workers.drain()
    await twit.update_profile(STAR, {"bio": BIO})


def _created(tweet: Tweet, now_ms: int) -> Event:
    return Event(
        kind=EventKind.TWEET_CREATED, key=tweet.author_id, actor=tweet.author_id, tweet=tweet.tweet_id,
        target=tweet.retweet_of_author or tweet.reply_to_author, ref=tweet.retweet_of, at_ms=now_ms,
    )
