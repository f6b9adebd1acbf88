"""What a process remembers of tweets, people, viewers and counts, kept true by the event log (`coherence.py` applies it).

`sync()` before an answer makes everything here at least as new as the log was then. A fill that was read before an event and
would be kept after it is not kept. Nothing here decides who sees what, and nothing here writes to a store.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import neg

import msgspec

from .clock import Clock
from .coherence import Coherence
from .entries import AuthorMode
from .events import LoggedEvent
from .limits import Limits
from .model import AccountStatus, Tweet, TweetCounts, User
from .ports import Stores
from .recent import Recent
from .viewers import load_viewer
from .visibility import NOBODY, Viewer

UNMERGED_RELOAD_MS = 1_000  # a merge moves no event: viewers with unmerged follows are read again after this


class Newest(msgspec.Struct):
    """An author's newest standing tweets. Every one with id >= `back_to` is in `ids`, newest first."""

    ids: list[int]
    back_to: int

    def between(self, floor: int, before: int) -> list[int]:
        """Ids in [floor, before), newest first."""
        ids = self.ids
        if not ids or ids[-1] >= before or ids[0] < floor:
            return []
        start = 0 if ids[0] < before else bisect_left(ids, 1 - before, key=neg)
        stop = len(ids) if ids[-1] >= floor else bisect_right(ids, -floor, key=neg)
        return ids[start:stop]


class Caches:
    """Process caches. All answers come in the order of the question."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self.tweet_cache: Recent[int, Tweet] = Recent(limits.cached_tweets_max)
        self.user_cache: Recent[int, User] = Recent(limits.cached_users_max)
        self.count_cache: Recent[int, TweetCounts] = Recent(limits.cached_tweets_max)
        self.viewer_cache: Recent[int, Viewer] = Recent(limits.cached_viewers_max)
        self.newest_cache: Recent[int, Newest] = Recent(limits.cached_users_max)
        self.facts: dict[int, int] = {}  # tweet -> author; negated where more than the author decides, 0 for a tombstone
        self.specials: dict[int, tuple[int, int]] = {}  # those negated -> (retweet of, whose tweet it retweets or answers)
        self.plain: set[int] = set()  # people known to be active and public
        self.odd: set[int] = set()  # people known or suspected to be otherwise; every author in `facts` is in one of the two
        self._ids: dict[int, int] = {}  # the one object for each user id in `facts` and the viewers' circles
        self.pulled_modes: Mapping[int, AuthorMode] | None = None
        self._viewer_loaded_ms: dict[int, int] = {}  # of viewers with unmerged follows
        self._loading: dict[int, tuple[int, asyncio.Future[Viewer | None]]] = {}
        self.loads = 0  # store calls made to fill
        self._coherence = Coherence(stores.log, limits, clock, self)

    async def sync(self) -> None:
        """Follow the log if it moved. Every facade read and write calls this before it answers."""
        if self._coherence.behind():
            await self._coherence.follow()

    def in_step(self) -> bool:
        """Whether there is nothing to follow; then `sync` does nothing."""
        return not self._coherence.behind()

    def subscribe(
        self, callback: Callable[[LoggedEvent], None], on_reset: Callable[[], None] | None = None
    ) -> None:
        """Call `callback` with every event as it is applied, and `on_reset` when everything was forgotten instead."""
        self._coherence.subscribe(callback, on_reset)

    @property
    def moment(self) -> int:
        """Rises whenever events were applied: what was read before must not be kept after."""
        return self._coherence.moment

    @property
    def position(self) -> int:
        """The offset of the last event applied."""
        return self._coherence.position

    def sizes(self) -> dict[str, int]:
        """How many elements each cache holds."""
        return {
            "tweets": len(self.tweet_cache),
            "users": len(self.user_cache),
            "counts": len(self.count_cache),
            "viewers": len(self.viewer_cache),
            "newest": len(self.newest_cache),
        }

    def clear(self) -> None:
        """Forget everything; the follower had to jump."""
        for cache in (self.tweet_cache, self.user_cache, self.count_cache, self.viewer_cache, self.newest_cache):
            cache.clear()
        self.facts.clear()
        self.specials.clear()
        self.plain.clear()
        self.odd.clear()
        self._viewer_loaded_ms.clear()
        self.pulled_modes = None

    def pass_turn(self) -> None:
        """Forget what moves with no event (`EventLog.turn`): lists and numbers. What a tweet says and who somebody is does not."""
        for cache in (self.count_cache, self.viewer_cache, self.newest_cache):
            cache.clear()
        self._viewer_loaded_ms.clear()

    async def tweets(self, ids: Sequence[int]) -> list[Tweet | None]:
        """Tweets, tombstones included."""
        found = self.tweet_cache.get_all(ids)
        if not all(found):
            await self._fill_tweets(ids, found)
        return found

    async def tweet(self, tweet_id: int) -> Tweet | None:
        """One of `tweets`."""
        return (await self.tweets((tweet_id,)))[0]

    async def users(self, ids: Sequence[int]) -> list[User | None]:
        """Accounts of any status."""
        found = self.user_cache.get_all(ids)
        if all(found):
            return found
        missing = list({user_id: None for user_id, user in zip(ids, found, strict=True) if user is None and user_id > 0})
        if missing:
            moment = self.moment
            self.loads += 1
            loaded = dict(zip(missing, await self._stores.accounts.get(missing), strict=True))
            if moment == self.moment:
                for user in loaded.values():
                    if user is not None:
                        self._keep_user(user)
            found = [loaded.get(user_id) if user is None else user for user_id, user in zip(ids, found, strict=True)]
        return found

    async def user(self, user_id: int) -> User | None:
        """One of `users`."""
        return (await self.users((user_id,)))[0]

    async def counts(self, ids: Sequence[int]) -> list[TweetCounts]:
        """Counts of originals; zeros for unknown ids."""
        found = self.count_cache.get_all(ids)
        if all(found):
            return found  # type: ignore[return-value]  # whole
        missing = list({tweet_id: None for tweet_id, counts in zip(ids, found, strict=True) if counts is None})
        moment = self.moment
        self.loads += 1
        loaded = dict(zip(missing, await self._stores.engagement.counts(missing), strict=True))
        if moment == self.moment:
            self.count_cache.update(loaded)
        return [loaded[tweet_id] if counts is None else counts for tweet_id, counts in zip(ids, found, strict=True)]

    async def viewer(self, user_id: int) -> Viewer:
        """How this user sees the others; user 0 is nobody."""
        while True:
            viewer = self.viewer_cache.get(user_id)
            if viewer is not None and not (viewer.unmerged and self._aged(user_id)):
                return viewer
            if user_id == 0:
                return NOBODY
            moment, loading = self._loading.get(user_id, (-1, None))
            if loading is None or moment != self.moment:
                return await self._load_viewer(user_id)
            viewer = await asyncio.shield(loading)
            if viewer is not None:
                return viewer

    async def pulled(self) -> Mapping[int, AuthorMode]:
        """All authors that are not pushed, with their modes."""
        if self.pulled_modes is None:
            moment = self.moment
            self.loads += 1
            modes = await self._stores.modes.pulled()
            if moment != self.moment:
                return modes
            self.pulled_modes = modes
        return self.pulled_modes

    async def newest(self, authors: Sequence[int]) -> list[Newest]:
        """The newest tweets of each author, at least `celebrity_list_entries` of them where there are as many."""
        get = self.newest_cache.get
        found = [get(author) for author in authors]
        missing = list({author: None for author, newest in zip(authors, found, strict=True) if newest is None})
        loaded: dict[int, Newest] = {}
        if missing:
            moment, limit = self.moment, self._limits.celebrity_list_entries
            self.loads += 1
            for author, entries in zip(missing, await self._stores.tweets.by_authors(missing, limit=limit), strict=True):
                ids = [int(tweet_id) for tweet_id in entries[:, 0].tolist()]
                loaded[author] = Newest(ids, ids[-1] if len(ids) >= limit else 0)
            if moment == self.moment:
                for author, newest in loaded.items():
                    self.newest_cache[author] = newest
        return [loaded[author] if newest is None else newest for author, newest in zip(authors, found, strict=True)]

    def keep_tweet(self, tweet: Tweet) -> None:
        """Remember a tweet that the caller has just read or made durable."""
        self.tweet_cache[tweet.tweet_id] = tweet
        self.keep_facts(tweet)

    def _keep_tweets(self, tweets: Mapping[int, Tweet]) -> None:
        """`keep_tweet` for many: a third of the time."""
        self.tweet_cache.update(tweets)
        if len(self.facts) + len(tweets) > self._limits.cached_tweets_max:
            self.facts.clear()
            self.specials.clear()
        facts, plain, same = self.facts, self.plain, self._ids.setdefault
        for tweet_id, tweet in tweets.items():
            author = tweet.author_id
            if author in plain and not (tweet.deleted or tweet.retweet_of or tweet.reply_to):
                facts[tweet_id] = same(author, author)
            else:
                self.keep_facts(tweet)

    def keep_facts(self, tweet: Tweet) -> None:
        """Note what the quick way of reading needs, once its author is known."""
        tweet_id, author = tweet.tweet_id, tweet.author_id
        if author not in self.plain and author not in self.odd:
            return
        if len(self.facts) >= self._limits.cached_tweets_max:
            self.facts.clear()
            self.specials.clear()
        if is_simple(tweet):
            self.facts[tweet_id] = self._ids.setdefault(author, author)
        elif tweet.deleted:
            self.facts[tweet_id] = 0
        else:
            self.facts[tweet_id] = -author
            self.specials[tweet_id] = tweet.retweet_of, tweet.retweet_of_author or tweet.reply_to_author

    def drop_tweet(self, tweet_id: int) -> Tweet | None:
        """Forget a tweet and what was derived from it; returns what it was."""
        self.facts.pop(tweet_id, None)
        self.specials.pop(tweet_id, None)
        self.count_cache.drop(tweet_id)
        return self.tweet_cache.drop(tweet_id)

    def drop_user(self, user_id: int) -> None:
        """Forget an account."""
        if user_id in self.plain:
            self.plain.discard(user_id)
            self.odd.add(user_id)
        self.user_cache.drop(user_id)

    def drop_viewers(self, user_ids: Iterable[int]) -> None:
        """Forget how these users see the others."""
        for user_id in user_ids:
            self.viewer_cache.drop(user_id)
            self._viewer_loaded_ms.pop(user_id, None)

    async def _load_viewer(self, user_id: int) -> Viewer:
        """Read a viewer while others who ask for him wait."""
        loading: asyncio.Future[Viewer | None] = asyncio.get_running_loop().create_future()
        moment = self.moment
        here = self._loading[user_id] = moment, loading
        viewer = None
        try:
            modes = await self.pulled()
            self.loads += 4
            if len(self._ids) >= self._limits.cached_users_max:
                self._ids.clear()
            viewer = await load_viewer(self._stores, self._limits, user_id, modes, self._ids.setdefault)
            if moment == self.moment:
                self.viewer_cache[user_id] = viewer
                if viewer.unmerged:
                    if len(self._viewer_loaded_ms) >= self._limits.cached_viewers_max:
                        self._viewer_loaded_ms.clear()
                    self._viewer_loaded_ms[user_id] = self._clock.now_ms()
            return viewer
        finally:
            loading.set_result(viewer)
            if self._loading.get(user_id) is here:
                del self._loading[user_id]

    def _aged(self, user_id: int) -> bool:
        return self._clock.now_ms() - self._viewer_loaded_ms.get(user_id, 0) >= UNMERGED_RELOAD_MS

    def _keep_user(self, user: User) -> None:
        self.user_cache[user.user_id] = user
        if len(self.plain) + len(self.odd) >= self._limits.cached_users_max:
            self.plain.clear()
            self.odd.clear()
            self.facts.clear()
            self.specials.clear()
        plain = user.status is AccountStatus.ACTIVE and not user.is_private
        (self.odd.discard if plain else self.plain.discard)(user.user_id)
        (self.plain.add if plain else self.odd.add)(user.user_id)

    async def _fill_tweets(self, ids: Sequence[int], found: list[Tweet | None]) -> None:
        """Complete `found` from the store."""
        asked = list({tweet_id: None for tweet_id, tweet in zip(ids, found, strict=True) if tweet is None and tweet_id > 0})
        if not asked:
            return
        moment = self.moment
        self.loads += 1
        loaded = dict(zip(asked, await self._stores.tweets.get(asked), strict=True))
        if moment == self.moment:
            self._keep_tweets({tweet_id: tweet for tweet_id, tweet in loaded.items() if tweet is not None})
        found[:] = [loaded.get(tweet_id) if tweet is None else tweet for tweet_id, tweet in zip(ids, found, strict=True)]


def is_simple(tweet: Tweet) -> bool:
    """Whether only its author decides who sees it in a home timeline, apart from mentions of someone blocked."""
    return not (tweet.deleted or tweet.retweet_of or (tweet.reply_to and tweet.reply_to_author != tweet.author_id))
