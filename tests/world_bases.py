"""Populations in a table, for worlds whose every fact a test can name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from twit.core.model import AccountStatus, Tweet, TweetCounts, User, UserCounts


@dataclass
class TabledBase:
    """`simulate.world.base.Base` over sets. `edges` are (follower, followee), in order of follow."""

    users: int = 0
    edges: list[tuple[int, int]] = field(default_factory=list)
    said: list[Tweet] = field(default_factory=list)
    given: dict[int, TweetCounts] = field(default_factory=dict)
    name: str = "a table"

    def profiles(self, user_ids: Sequence[int]) -> list[User]:
        return [User(user_id=i, username=f"u{i}", display_name=f"Number {i}", status=AccountStatus.ACTIVE) for i in user_ids]

    def ids_of(self, usernames: Sequence[str]) -> list[int]:
        known = {f"u{i}": i for i in range(1, self.users + 1)}
        return [known.get(name.lower(), 0) for name in usernames]

    def counts(self, user_ids: Sequence[int], now_ms: int) -> list[UserCounts]:
        return [
            UserCounts(len(self._followers(i)), len(self.following(i)), sum(t.author_id == i for t in self._heard(now_ms)))
            for i in user_ids
        ]

    def following(self, user_id: int) -> np.ndarray:
        return np.array([v for u, v in self.edges if u == user_id], np.int64)

    def follows(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        return [tuple(pair) in set(self.edges) for pair in pairs]

    def places(self, user_ids: Sequence[int]) -> np.ndarray:
        return np.array([len(self._followers(i)) for i in user_ids], np.int64)

    def followers(self, user_id: int, start: int, limit: int) -> np.ndarray:
        return np.array(self._followers(user_id)[start : start + limit], np.int64)

    def celebrities(self, above: int) -> Iterator[int]:
        return (i for i in range(1, self.users + 1) if len(self._followers(i)) > above)

    def tweets_of(self, authors: Sequence[int], before: int, after: int, limit: int, now_ms: int) -> list[np.ndarray]:
        heard = sorted(self._heard(now_ms), key=lambda t: -t.tweet_id)
        return [
            np.array(
                [(t.tweet_id, t.retweet_of) for t in heard if t.author_id == a and after < t.tweet_id < (before or 1 << 63)][:limit],
                np.int64,
            ).reshape(-1, 2)
            for a in authors
        ]

    def tweets(self, tweet_ids: Sequence[int], now_ms: int) -> list[Tweet | None]:
        heard = {t.tweet_id: t for t in self._heard(now_ms)}
        return [heard.get(i) for i in tweet_ids]

    def retweets_by(self, user_id: int, originals: Sequence[int], now_ms: int) -> list[int]:
        mine = {t.retweet_of: t.tweet_id for t in self._heard(now_ms) if t.author_id == user_id}
        return [mine.get(i, 0) if i else 0 for i in originals]

    def tweet_counts(self, tweet_ids: Sequence[int], now_ms: int) -> list[TweetCounts]:
        heard = self._heard(now_ms)
        return [self.given.get(i) or TweetCounts(0, *(_many(heard, kind, i) for kind in ("retweet_of", "reply_to", "quote_of"))) for i in tweet_ids]

    def _followers(self, user_id: int) -> list[int]:
        return [u for u, v in self.edges if v == user_id]

    def _heard(self, now_ms: int) -> list[Tweet]:
        return [t for t in self.said if t.created_ms < now_ms]


def _many(heard: list[Tweet], kind: str, tweet_id: int) -> int:
    return sum(getattr(t, kind) == tweet_id for t in heard)
