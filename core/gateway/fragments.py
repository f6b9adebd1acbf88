"""Whole encoded tweets, kept until an event makes them untrue, so that a page is a join of bytes.

What is kept is what somebody sees who liked and retweeted nothing; the viewer's flags are spliced in where set. A tweet
that quotes is kept too, but whether its quote may be seen is asked for each viewer. Counts move often: a tweet is encoded
again for them at most once a second. Who may see a page's tweets was decided before by the core; nothing here does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter

from ..caches import Caches
from ..clock import Clock
from ..coherence import TWEET_KINDS, USER_KINDS
from ..events import EventKind, LoggedEvent
from ..model import Tweet
from ..recent import Recent
from ..service import Twit
from ..shown import TweetView, Unavailable
from ..visibility import Viewer, sees_tweet
from .encode import AuthorOut, author_out, chain, encoded, flagged_in, plain_encoded
from .kept import Generation, Plain, Quoting, Standing, add
from .marks import has_marks, mark

RECOUNT_US = 1_000_000
UNRESOLVED_MAX = 10_000  # made or deleted tweets whose parents are still to be looked up; beyond it all is forgotten
_body = attrgetter("body")


class Fragments:
    """At most about `cached_fragments_max` encoded tweets, kept true by the caches' event subscription."""

    def __init__(self, twit: Twit, clock: Clock) -> None:
        self._twit = twit
        self._caches: Caches = twit.caches
        self._clock = clock
        self._half = max(1, twit.limits.cached_fragments_max // 2)
        self._young, self._old = Generation(), Generation()
        self._turn = 0  # rises when a generation goes: what is in none is no longer told that it became untrue
        self._drops = 0  # fragments that became untrue
        self._pages: Recent[int, Standing] = Recent(twit.limits.cached_viewers_max)
        self._authors: dict[int, AuthorOut] = {}  # how people are shown
        self._fills: list[set[int]] = []  # what was dropped while each fill was under way: ids, authors negative, 0: all
        self._unresolved: list[int] = []
        self._recounts: deque[tuple[int, int]] = deque()  # (due us, tweet), in order of time
        self._moved: dict[int, bool] = {}  # tweets encoded again less than a second ago -> whether counts moved since
        self.encoded = 0
        self._caches.subscribe(self.followed, self.reset)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    async def page(self, viewer_id: int, tweets: Sequence[Tweet], ids: Sequence[int] = ()) -> list[bytes]:
        """Return each tweet as JSON for this viewer, in order; one that vanished since the page was made is left out.

        Of a page that is bare (`ids`) the tweets themselves are read only where their fragments do not do.
        """
        if self._unresolved:
            await self._resolve()
        if self._recounts:
            self._recount()
        turn, drops, get = self._turn, self._drops, self._young.plain.get
        found = list(map(get, ids)) if ids else [get(tweet.tweet_id) for tweet in tweets]
        parts = [None if plain is None else plain.body for plain in found]
        quoting: dict[int, tuple[int, ...]] = {}
        whole = all(parts)
        if not whole:
            if ids:
                return await self.page(viewer_id, await self._read(ids))
            await self._complete(viewer_id, tweets, parts, quoting)
        if viewer_id:
            viewer = await self._caches.viewer(viewer_id)
            if has_marks(viewer):
                if ids:
                    return await self.page(viewer_id, await self._read(ids))
                await mark(self._twit.stores, viewer, tweets, parts, quoting)
            elif ids:
                self._pages[viewer_id] = Standing(ids, turn, found, parts.copy(), drops)  # type: ignore[arg-type]  # it is whole
        return parts if whole else [part for part in parts if part is not None]  # type: ignore[return-value]

    def standing(self, viewer_id: int, ids: Sequence[int]) -> list[bytes] | None:
        """`page` at once, for the very list of ids of last time, where every fragment of then still holds; else `None`."""
        page, viewer = self._pages.get(viewer_id), self._caches.viewer_cache.peek(viewer_id)
        if page is None or page.ids is not ids or page.turn != self._turn or viewer is None or has_marks(viewer) or self._unresolved:
            return None
        if self._recounts:
            self._recount()
        if page.drops != self._drops:
            page.bodies, page.drops = list(map(_body, page.fragments)), self._drops
        return page.bodies.copy() if all(page.bodies) else None

    async def _read(self, ids: Sequence[int]) -> list[Tweet]:
        return [tweet for tweet in await self._caches.tweets(ids) if tweet is not None]

    # what makes fragments untrue
    def followed(self, logged: LoggedEvent) -> None:
        """Drop what an event of the log made untrue."""
        event = logged.event
        kind = event.kind
        if kind is EventKind.LIKED or kind is EventKind.UNLIKED:
            self._count_moved(event.tweet)
        elif kind in TWEET_KINDS:
            if kind is EventKind.TWEET_DELETED:
                self._drop(event.tweet)
            if event.ref:
                self._count_moved(event.ref)
            else:
                self._unresolved.append(event.tweet)
        elif kind in USER_KINDS:
            for fill in self._fills:
                fill.add(-event.key)
            self._drops += 1
            self._authors.pop(event.key, None)
            for generation in (self._young, self._old):
                generation.drop_all(generation.by_author.pop(event.key, ()))

    def reset(self) -> None:
        """Forget everything: events may have been missed."""
        self._authors.clear()
        self.clear()

    def clear(self) -> None:
        """Forget all tweets."""
        for fill in self._fills:
            fill.add(0)
        self._young, self._old = Generation(), Generation()
        self._turn += 1
        self._pages.clear()
        self._unresolved.clear()
        self._recounts.clear()
        self._moved.clear()

    def _drop(self, tweet_id: int) -> None:
        for fill in self._fills:
            fill.add(tweet_id)
        self._drops += 1
        self._young.drop(tweet_id)
        self._old.drop(tweet_id)

    def _count_moved(self, tweet_id: int) -> None:
        if tweet_id in self._moved:
            self._moved[tweet_id] = True
            return
        self._drop(tweet_id)
        self._moved[tweet_id] = False
        self._recounts.append((self._clock.monotonic_us() + RECOUNT_US, tweet_id))

    def _recount(self) -> None:
        """Drop the tweets whose second is over and whose counts moved in it."""
        now_us, recounts = self._clock.monotonic_us(), self._recounts
        while recounts and recounts[0][0] <= now_us:
            _, tweet_id = recounts.popleft()
            if self._moved.pop(tweet_id):
                self._count_moved(tweet_id)

    async def _resolve(self) -> None:
        """Find out whose replies and quotes the made and deleted tweets are: an event does not say."""
        ids, self._unresolved = self._unresolved, []
        if len(ids) > UNRESOLVED_MAX:
            self.clear()
            return
        for tweet in await self._caches.tweets(ids):
            if tweet is not None:
                for other in (tweet.reply_to, tweet.quote_of):
                    if other:
                        self._count_moved(other)

    # filling
    async def _complete(
        self, viewer_id: int, tweets: Sequence[Tweet], parts: list[bytes | None], quoting: dict[int, tuple[int, ...]]
    ) -> None:
        """Fill the gaps in `parts`, and say in `quoting` which places hold a chain with a quote, and of whom."""
        viewer = await self._caches.viewer(viewer_id)
        elsewhere = bool(len(self._old) or self._young.quoting)
        missing: list[int] = []
        for at, part in enumerate(parts):
            if part is None and not (elsewhere and self._found(viewer, tweets[at], at, parts, quoting)):
                missing.append(at)
        if not missing:
            return
        dropped: set[int] = set()
        self._fills.append(dropped)
        try:
            missing = await self._fill_simple(tweets, parts, missing, dropped)
            views = await self._twit.dress(viewer_id, [tweets[at] for at in missing]) if missing else []
        finally:
            self._fills = [fill for fill in self._fills if fill is not dropped]
        for at, view in zip(missing, views, strict=True):
            if isinstance(view, Unavailable):
                continue
            self.encoded += 1
            if view.retweet_of is None and view.quote is None:
                body = parts[at] = encoded(view, flags=False)
                self._keep_plain(view.tweet.tweet_id, view.author.user_id, body, dropped)
                continue
            links = chain(view)
            body = parts[at] = encoded(view, flags=False)
            subjects = tuple([flagged_in(link) for link in links])
            if any(link.quote is not None for link in links):
                quoting[at] = subjects
            self._keep_chain(links, body, subjects, dropped)

    async def _fill_simple(
        self, tweets: Sequence[Tweet], parts: list[bytes | None], missing: list[int], dropped: set[int]
    ) -> list[int]:
        """Encode those that show no other tweet, of authors who hide from nobody; returns the places that are left."""
        plain, authors = self._caches.plain, self._authors
        left: list[int] = []
        simple: list[tuple[int, Tweet, AuthorOut]] = []
        for at in missing:
            tweet = tweets[at]
            author_id = tweet.author_id
            other = tweet.retweet_of or tweet.quote_of or tweet.deleted or author_id not in plain
            author = None if other else authors.get(author_id) or self._author(author_id)
            if author is None:
                left.append(at)
            else:
                simple.append((at, tweet, author))
        if not simple:
            return left
        counts = await self._caches.counts([tweet.tweet_id for _, tweet, _ in simple])
        if dropped and not dropped.isdisjoint((0, *(one for _, tweet, _ in simple for one in (tweet.tweet_id, -tweet.author_id)))):
            return missing  # something of this moved meanwhile: the long way asks again
        room = 0
        for (at, tweet, _), body in zip(simple, plain_encoded(simple, counts), strict=True):
            if not room:
                generation = self._room()
                room = self._half - len(generation)
            room -= 1
            parts[at] = body
            generation.plain[tweet.tweet_id] = Plain(body)
            add(generation.by_author, tweet.author_id, tweet.tweet_id)
        self.encoded += len(simple)
        return left

    def _author(self, author_id: int) -> AuthorOut | None:
        """How a person is shown, kept until an event moves it; `None` where the caches do not know."""
        author = self._caches.user_cache.peek(author_id)
        if author is None:
            return None
        if len(self._authors) >= self._twit.limits.cached_users_max:
            self._authors.clear()
        shown = self._authors[author_id] = author_out(author)
        return shown

    def _found(
        self, viewer: Viewer, tweet: Tweet, at: int, parts: list[bytes | None], quoting: dict[int, tuple[int, ...]]
    ) -> bool:
        """Look where `page` did not: in the old generation, and among tweets that quote."""
        tweet_id = tweet.tweet_id
        plain = self._old.plain.get(tweet_id)
        if plain is not None:
            inner = (tweet_id, tweet.retweet_of) if tweet.retweet_of else (tweet_id,)
            authors = (tweet.author_id, tweet.retweet_of_author) if tweet.retweet_of else (tweet.author_id,)
            self._room().plain[tweet_id] = plain
            self._young.index(tweet_id, inner, authors)
            parts[at] = plain.body
            return True
        kept = self._young.quoting.get(tweet_id)
        if kept is None:
            kept = self._old.quoting.get(tweet_id)
            if kept is None:
                return False
            self._room().quoting[tweet_id] = kept
            self._young.index(tweet_id, kept.tweets, kept.authors)
        if not all(sees_tweet(viewer, quoted, self._caches.user_cache.peek) for quoted in kept.quoted):
            return False
        parts[at], quoting[at] = kept.body, kept.subjects
        return True

    def _keep_plain(self, tweet_id: int, author: int, body: bytes, dropped: set[int]) -> None:
        """Keep a tweet that shows no other, unless it was dropped while it was read."""
        if not dropped or dropped.isdisjoint((0, tweet_id, -author)):
            generation = self._room()
            generation.plain[tweet_id] = Plain(body)
            add(generation.by_author, author, tweet_id)

    def _keep_chain(self, links: list[TweetView], body: bytes, subjects: tuple[int, ...], dropped: set[int]) -> None:
        """The same for a retweet or quote, but only as somebody sees it who may see all of it."""
        tweets = tuple(link.tweet.tweet_id for link in links)
        authors = tuple({link.author.user_id: None for link in links})
        if isinstance(links[-1].quote or links[-1].retweet_of, Unavailable):
            return
        if dropped and not dropped.isdisjoint((0, *tweets, *(-author for author in authors))):
            return
        generation = self._room()
        quoted = tuple(inner.tweet for outer, inner in pairwise(links) if outer.quote is not None)
        if quoted:
            generation.quoting[tweets[0]] = Quoting(body, subjects, quoted, tweets, authors)
        else:
            generation.plain[tweets[0]] = Plain(body)
        generation.index(tweets[0], tweets, authors)

    def _room(self) -> Generation:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, Generation()
            self._turn += 1
        return self._young
