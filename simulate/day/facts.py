"""A computed population as plain facts for the oracle: whom the core's users follow and what they wrote, as of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.model import Tweet, User
from ..population.past import newest_of
from .ops import Ids
from .rule import Delivery

if TYPE_CHECKING:
    from ..population.people import Population


class PopulationFacts:
    """`ops.Facts` over a population. User ids are the core's, an index is one less. Remembers what it was asked."""

    def __init__(self, population: Population, now_ms: int, delivery: Delivery = Delivery.HYBRID) -> None:
        self._population, self._now_ms, self._delivery = population, now_ms, delivery
        self._following: dict[int, Sequence[int]] = {}
        self._pulled: dict[int, bool] = {}
        self._lists: dict[tuple[int, int, int], Ids] = {}
        self._tweets: dict[int, Tweet] = {}
        self._users: dict[int, User] = {}

    def followees(self, user: int) -> Sequence[int]:
        if user not in self._following:
            found = self._population.graph.following(user - 1)
            self._following[user] = (found + 1).tolist()
            self._pulled.update(zip(self._following[user], self._pulls(found), strict=True))
        return self._following[user]

    def followers(self, user: int) -> int:
        graph = self._population.graph
        count = int(graph.in_degree([user - 1])[0])
        return count if graph.is_celebrity([user - 1])[0] else len(graph.followers(user - 1))

    def is_pulled(self, author: int) -> bool:
        if author not in self._pulled:
            self._pulled[author] = self._pulls(np.array([author - 1]))[0]
        return self._pulled[author]

    def newest(self, authors: Sequence[int], before: int, limit: int) -> list[Ids]:
        people = self._population
        missing = [author for author in dict.fromkeys(authors) if (author, before, limit) not in self._lists]
        if missing:
            out, counts = np.empty(len(missing) * limit, np.int64), np.empty(len(missing), np.int64)
            indexes = np.array(missing, np.int64) - 1
            newest_of(people.act, people.table, people.at, indexes, before, 0, limit, self._now_ms, out, counts)
            for place, (author, count) in enumerate(zip(missing, counts.tolist(), strict=True)):
                self._lists[author, before, limit] = out[place * limit : place * limit + count].copy()
        return [self._lists[author, before, limit] for author in authors]

    def tweets(self, tweet_ids: Sequence[int]) -> list[Tweet]:
        missing = [tweet_id for tweet_id in dict.fromkeys(tweet_ids) if tweet_id not in self._tweets]
        for tweet_id, found in zip(missing, self._population.tweet(missing, self._now_ms), strict=True):
            if found is None:
                what = f"nobody of the population wrote {tweet_id}"
                raise LookupError(what)
            self._tweets[tweet_id] = found
        return [self._tweets[tweet_id] for tweet_id in tweet_ids]

    def user(self, user_id: int) -> User:
        if user_id not in self._users:
            self._users[user_id] = self._population.user(user_id - 1)
        return self._users[user_id]

    def likes(self, user: int) -> int:  # noqa: ARG002 - who liked a computed tweet is not computed
        return 0

    def _pulls(self, indexes: np.ndarray) -> list[bool]:
        if self._delivery is Delivery.HYBRID:
            return [bool(one) for one in self._population.graph.is_celebrity(indexes)]
        return [self._delivery is Delivery.PULL] * len(indexes)
