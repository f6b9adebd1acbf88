"""What a world asks of the population under it, in the core's words: user ids from 1, tweet ids, model structs.

A base is a function of what is asked and of the moment: it stores nothing, hears of nothing that is done in the world, and
never changes what it once said of the past. `PopulationBase` speaks for the population of `simulate/population/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ...core.model import Tweet, TweetCounts, User, UserCounts

if TYPE_CHECKING:
    from ...core.entries import Entries, Ids


class Base(Protocol):
    """People 1 to `users`, who they follow, what they tweeted. `now_ms`: what comes later does not exist yet."""

    users: int

    @property
    def name(self) -> str:
        """Everything that decides what is computed, for telling worlds apart."""

    def profiles(self, user_ids: Sequence[int]) -> list[User]:
        """Accounts of people who are computed."""

    def ids_of(self, usernames: Sequence[str]) -> list[int]:
        """User ids by name, without case; 0 for none."""

    def counts(self, user_ids: Sequence[int], now_ms: int) -> list[UserCounts]:
        """Followers, followees, tweets."""

    def following(self, user_id: int) -> Ids:
        """Whom one follows, oldest first."""

    def follows(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        """Whether each (follower, followee) edge is computed; false for people who are not."""

    def places(self, user_ids: Sequence[int]) -> Ids:
        """How many followers each has, or a few more: in about one of a million cases nobody stands at the last places."""

    def followers(self, user_id: int, start: int, limit: int) -> Ids:
        """Followers from the start-th on, at most `limit`, fewer only at the end."""

    def celebrities(self, above: int) -> Iterator[int]:
        """Everybody with more than `above` places, as far as that can be enumerated."""

    def tweets_of(self, authors: Sequence[int], before: int, after: int, limit: int, now_ms: int) -> list[Entries]:
        """For each author his newest entries with after < id < before (0: unbounded), at most `limit` each."""

    def tweets(self, tweet_ids: Sequence[int], now_ms: int) -> list[Tweet | None]:
        """What these ids say."""

    def retweets_by(self, user_id: int, originals: Sequence[int], now_ms: int) -> list[int]:
        """The id of a computed person's retweet of each; 0 for none."""

    def tweet_counts(self, tweet_ids: Sequence[int], now_ms: int) -> list[TweetCounts]:
        """Likes, retweets, replies and quotes that came from the population."""
