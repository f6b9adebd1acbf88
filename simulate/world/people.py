"""The computed population as a world's base: indices become user ids, and what it says keeps to the turns."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import Unsupported
from ...core.ids import EPOCH_MS, id_at
from ...core.model import Tweet, TweetCounts, User, UserCounts
from ..population.people import Population
from .keep import kept_population
from .lists import NewestLists

if TYPE_CHECKING:
    from ...core.entries import Entries, Ids

NAME = re.compile(r"u([1-9][0-9]{0,18})", re.IGNORECASE | re.ASCII)
RETWEETS_LOOKED_AT = 2_000  # of a person's newest tweets, when asked whether he retweeted something


class PopulationBase:
    """`Base` over a `Population`: user id = index + 1. A tweet of this very turn does not exist yet."""

    def __init__(self, population: Population, preset: str) -> None:
        self.population = population
        self.users = population.graph.users
        self._graph = population.graph
        self._preset = preset
        self._lists = NewestLists(population)

    @cached_property
    def name(self) -> str:
        tables = zlib.crc32(self.population.act.tobytes(), zlib.crc32(self._graph.table.tobytes()))
        return f"{self.users:,} people, seed {self.population.seed}, preset {self._preset}, tables {tables:08x}"

    def profiles(self, user_ids: Sequence[int]) -> list[User]:
        return self.population.users(_indices(user_ids))

    def ids_of(self, usernames: Sequence[str]) -> list[int]:
        numbers = [int(found[1]) if (found := NAME.fullmatch(name)) else 0 for name in usernames]
        return [number if number <= self.users else 0 for number in numbers]

    def counts(self, user_ids: Sequence[int], now_ms: int) -> list[UserCounts]:
        ids = _indices(user_ids)
        columns = (self._graph.in_degree(ids), self._graph.out_degree(ids), self.population.tweet_count(ids, now_ms))
        return [UserCounts(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def following(self, user_id: int) -> Ids:
        ids: Ids = self._graph.following(user_id - 1) + 1
        return ids

    def follows(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        asked = np.array(pairs, np.int64).reshape(-1, 2) - 1
        computed = ((asked >= 0) & (asked < self.users)).all(axis=1)
        answer = np.zeros(len(asked), np.bool_)
        if computed.any():
            answer[computed] = self._graph.is_following(asked[computed, 0], asked[computed, 1])
        return [bool(one) for one in answer.tolist()]

    def places(self, user_ids: Sequence[int]) -> Ids:
        return self._graph.in_degree(_indices(user_ids))

    def followers(self, user_id: int, start: int, limit: int) -> Ids:
        ids: Ids = self._graph.followers(user_id - 1, start, limit) + 1
        return ids

    def celebrities(self, above: int) -> Iterator[int]:
        if above < self._graph.shape.threshold:
            what = f"who has more than {above:,} followers cannot be enumerated"
            raise Unsupported(what, meaning=f"only those with more than {self._graph.shape.threshold:,} are ranked", code="NOT_ENUMERABLE")
        for rank in range(self._graph.shape.celebrities):
            index = self._graph.celebrity_by_rank(rank)
            if int(self._graph.in_degree((index,))[0]) > above:
                yield index + 1

    def tweets_of(self, authors: Sequence[int], before: int, after: int, limit: int, now_ms: int) -> list[Entries]:
        horizon = _horizon(now_ms)
        if before and before < horizon:
            return self.population.tweets_of(_indices(authors), before, after, limit, now_ms)
        return self._lists.newest([author - 1 for author in authors], horizon, after, limit, now_ms)

    def tweets(self, tweet_ids: Sequence[int], now_ms: int) -> list[Tweet | None]:
        horizon = _horizon(now_ms)
        return self.population.tweet([one if one < horizon else 0 for one in tweet_ids], now_ms)

    def retweets_by(self, user_id: int, originals: Sequence[int], now_ms: int) -> list[int]:
        wanted = [one for one in originals if one]
        if not wanted:
            return [0] * len(originals)
        (entries,) = self.tweets_of((user_id,), 0, min(wanted), RETWEETS_LOOKED_AT, now_ms)
        found = {ref: tweet_id for tweet_id, ref in entries.tolist() if ref}
        return [found.get(one, 0) for one in originals]

    def tweet_counts(self, tweet_ids: Sequence[int], now_ms: int) -> list[TweetCounts]:
        return self.population.counts(tweet_ids, now_ms)


def open_people(users: int, seed: int, preset: str) -> PopulationBase:
    """The people of a population of about `users`. Raises `Invalid` for what no population can be."""
    return PopulationBase(kept_population(users, seed, preset), preset)


def _indices(user_ids: Sequence[int]) -> Ids:
    return np.asarray(user_ids, np.int64) - 1


def _horizon(now_ms: int) -> int:
    """The first id that is not heard yet."""
    return id_at(max(now_ms, EPOCH_MS))
