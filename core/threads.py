"""One tweet and what hangs on it: the thread above and below, replies, who liked it, who retweeted it."""

from __future__ import annotations

from collections.abc import Sequence

from . import cursors
from .caches import Caches
from .errors import NotFound
from .limits import Limits
from .model import Edge, Tweet
from .pages import checked_limit, filled
from .people import people_page
from .ports import Stores
from .shown import Page, Thread, TweetPage, TweetView, Unavailable
from .sight import Sight
from .views import Views
from .visibility import sees_author


class Threads:
    """Reads for any viewer, nobody (0) included. Keeps nothing."""

    def __init__(self, stores: Stores, caches: Caches, views: Views, limits: Limits) -> None:
        self._stores = stores
        self._caches = caches
        self._views = views
        self._limits = limits

    async def tweet(self, viewer: int, tweet_id: int) -> TweetView:
        """One tweet as this viewer sees it; `NotFound` where he may not."""
        sight, tweet = await self._visible(viewer, tweet_id)
        return await self._dressed(sight, tweet)

    async def thread(self, viewer: int, tweet_id: int, cursor: str = "", limit: int | None = None) -> Thread:
        """Ancestors oldest first, the tweet, and a page of descendants in order of id.

        Of a retweet it is the original's thread. What the viewer may not see is `Unavailable` among the ancestors and is
        left out among the descendants, with the answers to it kept.
        """
        count = checked_limit(self._limits.timeline_page_default if limit is None else limit, self._limits.timeline_page_max)
        start = cursors.decode("D", cursor)
        sight, tweet = await self._original(viewer, tweet_id)
        ancestors = await self._ancestors(tweet)
        branch = _Branch(self._caches, sight, tweet.tweet_id)
        page = await filled(
            lambda after, many: self._stores.tweets.in_conversation(tweet.conversation_id or tweet.tweet_id, after, many),
            branch.keep,
            lambda one: one.tweet_id,
            start=max(start, tweet.tweet_id),
            limit=count,
            scan_max=self._limits.scan_max,
        )
        above = await self._views.dress(viewer, [one for one in ancestors if isinstance(one, Tweet)])
        shown = {view.tweet_id if isinstance(view, Unavailable) else view.tweet.tweet_id: view for view in above}
        return Thread(
            ancestors=tuple(shown[one.tweet_id] if isinstance(one, Tweet) else one for one in ancestors),
            tweet=await self._dressed(sight, tweet),
            descendants=tuple(await self._views.dress(viewer, page.found)),
            next_cursor=cursors.encode("D", page.last) if page.has_more else "",
            has_more=page.has_more,
        )

    async def replies(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> TweetPage:
        """Direct replies that the viewer may see, oldest first."""
        checked_limit(limit, self._limits.timeline_page_max)
        start = cursors.decode("P", cursor)
        sight, tweet = await self._original(viewer, tweet_id)
        page = await filled(
            lambda after, many: self._stores.tweets.replies(tweet.tweet_id, after, many),
            sight.see,
            lambda one: one.tweet_id,
            start=start,
            limit=limit,
            scan_max=self._limits.scan_max,
        )
        next_cursor = cursors.encode("P", page.last) if page.has_more else ""
        return TweetPage(tweets=page.found, next_cursor=next_cursor, has_more=page.has_more)

    async def likers(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> Page:
        """Who liked it, newest like first."""
        sight, tweet = await self._original(viewer, tweet_id)
        return await people_page(
            self._caches,
            self._limits,
            sight.viewer,
            kind="L",
            cursor=cursor,
            limit=limit,
            fetch=lambda before, many: self._stores.engagement.likers_page(tweet.tweet_id, before, many),
        )

    async def retweeters(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> Page:
        """Who retweeted it, newest first. Of private accounts only those whose retweets this viewer may see."""
        sight, tweet = await self._original(viewer, tweet_id)

        async def fetch(before: int, many: int) -> list[Edge]:
            retweets = await self._stores.tweets.retweets(tweet.tweet_id, before, many)
            return [Edge(retweet.author_id, retweet.tweet_id) for retweet in retweets]

        return await people_page(
            self._caches, self._limits, sight.viewer, kind="R", cursor=cursor, limit=limit, fetch=fetch, shows=sees_author
        )

    async def _visible(self, viewer: int, tweet_id: int) -> tuple[Sight, Tweet]:
        await self._caches.sync()
        sight = Sight(self._caches, await self._caches.viewer(viewer))
        tweet = await self._caches.tweet(tweet_id)
        if tweet is None or not await sight.sees(tweet):
            raise NotFound("no such tweet")
        return sight, tweet

    async def _original(self, viewer: int, tweet_id: int) -> tuple[Sight, Tweet]:
        sight, tweet = await self._visible(viewer, tweet_id)
        original = sight.tweets.get(tweet.retweet_of) if tweet.retweet_of else tweet
        if original is None:
            raise NotFound("no such tweet")
        return sight, original

    async def _dressed(self, sight: Sight, tweet: Tweet) -> TweetView:
        (view,) = await self._views.dress(sight.viewer.user_id, (tweet,))
        if isinstance(view, Unavailable):
            raise NotFound("no such tweet")
        return view

    async def _ancestors(self, tweet: Tweet) -> list[Tweet | Unavailable]:
        """What it answers, and what that answers, oldest first, at most `thread_ancestors_max`."""
        found: list[Tweet | Unavailable] = []
        parent_id = tweet.reply_to
        while parent_id and len(found) < self._limits.thread_ancestors_max:
            parent = await self._caches.tweet(parent_id)
            found.append(parent or Unavailable(parent_id))
            parent_id = parent.reply_to if parent is not None else 0
        return found[::-1]


class _Branch:
    """Which tweets of a conversation descend from one of them and may be seen."""

    def __init__(self, caches: Caches, sight: Sight, root: int) -> None:
        self._caches = caches
        self._sight = sight
        self._root = root
        self._under = {root: True}

    async def keep(self, tweets: Sequence[Tweet]) -> list[bool]:
        below = [await self._descends(tweet) for tweet in tweets]
        return [under and seen for under, seen in zip(below, await self._sight.see(tweets), strict=True)]

    async def _descends(self, tweet: Tweet) -> bool:
        """Go up until something known; ids fall on the way, so what is older than the root is not under it."""
        path = [tweet.tweet_id]
        above = tweet.reply_to
        while above > self._root and above not in self._under:
            path.append(above)
            parent = await self._caches.tweet(above)
            above = parent.reply_to if parent is not None else 0
        under = self._under.get(above, False)
        self._under.update(dict.fromkeys(path, under))
        return under
