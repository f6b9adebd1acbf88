"""What is shown: tweets, pages and threads as one viewer sees them, and what an explained read tells. Frozen structs, no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from .model import Tweet, TweetCounts, User


class Page(msgspec.Struct, frozen=True):
    """People. `next_cursor` is "" where `has_more` is false."""

    users: tuple[User, ...]
    next_cursor: str
    has_more: bool


class Unavailable(msgspec.Struct, frozen=True):
    """Stands where a tweet was that this viewer may not see (deleted, blocked, private, deactivated)."""

    tweet_id: int


class TweetView(msgspec.Struct, frozen=True, kw_only=True):
    """A tweet as one viewer sees it. For a retweet `counts`, `liked` and `retweeted` are the original's."""

    tweet: Tweet
    author: User
    counts: TweetCounts = TweetCounts()
    liked: bool = False
    retweeted: bool = False
    retweet_of: TweetView | Unavailable | None = None
    quote: TweetView | Unavailable | None = None


class TweetPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tweets in the order in which they are shown, not yet dressed for the viewer.

    `complete_back_to` as in `Row`: what the cache answered for; 0 where the list is read from the stores of truth.
    A bare page has `ids` in place of the tweets.
    """

    tweets: tuple[Tweet, ...] = ()
    ids: Sequence[int] = ()
    next_cursor: str = ""
    has_more: bool = False
    complete_back_to: int = 0


class Source(StrEnum):
    """Where an entry of a home timeline came from."""

    PUSHED = "pushed"  # by fan-out, from the cached row
    PULLED = "pulled"  # from a celebrity's own list
    UNMERGED = "unmerged"  # from a followee whose merge is still to come
    MERGED = "merged"  # past the cache: k-way merge of the followees' timelines
    PARENT = "parent"  # brought along by a reply whose parent had not arrived


class Explained(msgspec.Struct, frozen=True):
    """One shown entry: its sources (more than one where push and pull both found it)."""

    tweet_id: int
    sources: tuple[Source, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a home page cost. `hidden` counts candidates by the rule that hid them; `took_us` by stage."""

    row: str  # "complete" | "rebuilt" | "waited" | "uncached"
    entries: tuple[Explained, ...]
    scanned: int
    hidden: dict[str, int]
    pulled_authors: int
    merged_authors: int
    store_calls: int
    took_us: dict[str, int]


class HomePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a home timeline; `explanation` only where asked for."""

    page: TweetPage
    explanation: Explanation | None = None


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """Ancestors oldest first, the tweet, and a page of descendants in order of id."""

    ancestors: tuple[TweetView | Unavailable, ...]
    tweet: TweetView
    descendants: tuple[TweetView | Unavailable, ...]
    next_cursor: str
    has_more: bool


class Follow(StrEnum):
    """What a follow came to."""

    FOLLOWING = "following"
    ALREADY = "already_following"
    REQUESTED = "requested"
