"""The first page of a home timeline by the naive rules, from the stores of truth alone: the audit's second opinion.

It reads no cached timeline and shares no code with the service's own reading, whose mistakes it is there to find.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ..core.limits import Limits
from ..core.model import AccountStatus, Blocks, Following, Tweet, User
from ..core.ports import Stores

if TYPE_CHECKING:
    from ..core.entries import Entries

KEPT_MAX = 200_000  # facts kept of each kind; past it they are read anew
DEPTH_GROWTH = 4


class Facts:
    """What the stores of truth said, kept for one pass over many readers; thrown away before a second look."""

    def __init__(self, stores: Stores, limits: Limits) -> None:
        self._stores = stores
        self.depth = limits.timeline_entries_max + 1
        self.users: dict[int, User | None] = {}
        self.tweets: dict[int, Tweet | None] = {}
        self._lists: dict[int, Entries] = {}

    async def lists(self, authors: Sequence[int]) -> list[Entries]:
        """Each author's newest standing entries, at most `depth`."""
        if len(self._lists) > KEPT_MAX // 10:
            self._lists.clear()
        missing = [author for author in dict.fromkeys(authors) if author not in self._lists]
        if missing:
            found = await self._stores.tweets.by_authors(missing, limit=self.depth)
            self._lists.update(zip(missing, found, strict=True))
        return [self._lists[author] for author in authors]

    async def load(self, tweet_ids: Iterable[int]) -> None:
        """Bring in tweets, what they retweet, and the authors of both."""
        wanted = list(tweet_ids)
        await self._load_tweets(wanted)
        found = [tweet for tweet_id in wanted if (tweet := self.tweets[tweet_id])]
        await self._load_tweets([tweet.retweet_of for tweet in found if tweet.retweet_of])
        await self.load_users([author for tweet in found for author in (tweet.author_id, tweet.retweet_of_author) if author])

    async def load_users(self, user_ids: Iterable[int]) -> None:
        """Bring in accounts."""
        missing = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in self.users]
        if missing:
            self.users.update(zip(missing, await self._stores.accounts.get(missing), strict=True))

    async def _load_tweets(self, tweet_ids: Sequence[int]) -> None:
        if len(self.tweets) > KEPT_MAX:
            self.tweets.clear()
        missing = [tweet_id for tweet_id in dict.fromkeys(tweet_ids) if tweet_id not in self.tweets]
        if missing:
            self.tweets.update(zip(missing, await self._stores.tweets.get(missing), strict=True))


class Eyes(msgspec.Struct, frozen=True):
    """How one reader stands to the others."""

    reader: int
    following: Following
    blocks: Blocks

    @property
    def circle(self) -> frozenset[int]:
        return frozenset((self.reader, *self.following.followees))

    @property
    def hidden(self) -> frozenset[int]:
        return self.blocks.blocked | self.blocks.blocked_by


async def eyes_of(stores: Stores, reader: int) -> Eyes:
    """Read how this reader stands to the others."""
    following = (await stores.graph.following((reader,)))[0]
    return Eyes(reader, following, (await stores.relations.blocks((reader,)))[0])


async def naive_home(stores: Stores, facts: Facts, limits: Limits, eyes: Eyes, limit: int) -> list[int]:
    """The first `limit` tweets that the reader should be shown; fewer only where there are no more."""
    authors = (eyes.reader, *eyes.following.followees)
    lists, depth = await facts.lists(authors), facts.depth
    while True:
        complete_to = max((int(entries[-1, 0]) for entries in lists if len(entries) >= depth), default=0)
        ids = np.sort(np.concatenate([entries[:, 0] for entries in lists]))[::-1].tolist()
        visible = await _visible(facts, eyes, [tweet_id for tweet_id in ids if tweet_id >= complete_to], limit, limits)
        if not complete_to or len(visible) >= _enough(limit, limits):
            return _unrepeated(visible, limits.retweet_dedupe_window)[:limit]
        depth *= DEPTH_GROWTH
        lists = await stores.tweets.by_authors(authors, limit=depth)


def _enough(limit: int, limits: Limits) -> int:
    """So many visible ones decide a page: as many may repeat others as there are others within a window."""
    return limit * 4 + limits.retweet_dedupe_window


async def _visible(facts: Facts, eyes: Eyes, ids: list[int], limit: int, limits: Limits) -> list[Tweet]:
    found: list[Tweet] = []
    circle, hidden, enough = eyes.circle, eyes.hidden, _enough(limit, limits)
    for at in range(0, len(ids), enough):
        part = ids[at : at + enough]
        await facts.load(part)
        found += [t for one in part if (t := facts.tweets[one]) and _at_home(facts, eyes, circle, hidden, t)]
        if len(found) >= enough:
            break
    return found


def _at_home(facts: Facts, eyes: Eyes, circle: frozenset[int], hidden: frozenset[int], tweet: Tweet) -> bool:
    if tweet.author_id not in circle or not _sees(facts, eyes, hidden, tweet):
        return False
    if tweet.author_id == eyes.reader:
        return True
    if tweet.author_id in eyes.blocks.muted:
        return False
    if tweet.retweet_of:
        return tweet.author_id not in eyes.following.without_retweets and tweet.retweet_of_author not in eyes.blocks.muted
    return not tweet.reply_to or tweet.reply_to_author == tweet.author_id or tweet.reply_to_author in circle


def _sees(facts: Facts, eyes: Eyes, hidden: frozenset[int], tweet: Tweet) -> bool:
    if tweet.deleted or not _sees_author(facts, eyes, hidden, tweet.author_id):
        return False
    if tweet.retweet_of:
        original = facts.tweets.get(tweet.retweet_of)
        if original is None or not _sees(facts, eyes, hidden, original):
            return False
    named = {*tweet.mentions, tweet.reply_to_author}
    return tweet.author_id == eyes.reader or hidden.isdisjoint(named)


def _sees_author(facts: Facts, eyes: Eyes, hidden: frozenset[int], author_id: int) -> bool:
    author = facts.users.get(author_id)
    if author is None or author.status is not AccountStatus.ACTIVE or author_id in hidden:
        return False
    return author_id == eyes.reader or not author.is_private or author_id in eyes.following.followees


def _unrepeated(tweets: list[Tweet], window: int) -> list[int]:
    same = [tweet.retweet_of or tweet.tweet_id for tweet in tweets]
    return [tweet.tweet_id for at, tweet in enumerate(tweets) if same[at] not in same[at + 1 : at + 1 + window]]
