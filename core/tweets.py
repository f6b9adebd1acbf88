"""Tweets: post, reply, quote, retweet, like, delete, and their undoing.

A command checks what the actor may do, makes the act durable together with its event, and answers; delivery to followers
follows by event and never happens here, but for the author's own timeline, which shows the tweet at once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

import msgspec
import numpy as np

from . import text as texts
from .accounts import acting
from .caches import Caches
from .clock import Clock
from .errors import Conflict, Forbidden, Gone, Invalid, NotFound, StoreError
from .events import Event, EventKind
from .ids import TweetIds, ms_of
from .limits import Limits
from .model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet
from .patience import soon
from .ports import Stores
from .sight import Sight

log = logging.getLogger(__name__)


class TweetCommands:
    """What people do with tweets. Keeps no state; ids come from `ids`, whose node the process holds."""

    def __init__(self, stores: Stores, caches: Caches, limits: Limits, clock: Clock, ids: TweetIds) -> None:
        self._stores = stores
        self._caches = caches
        self._limits = limits
        self._clock = clock
        self._ids = ids

    async def post(
        self, actor: int, text: str, *, reply_to: int = 0, quote_of: int = 0, media: Sequence[str] = (),
        idempotency_key: str = "", request_id: str = "",
    ) -> Tweet:  # fmt: skip
        """Make a tweet durable with its event and show it to its author. Retweets stand for their originals."""
        sight = await self._acting(actor)
        text = texts.written(text, "text", self._limits.tweet_chars_max, lines=True)
        self._check_media(media)
        if texts.blank(text) and not media:
            raise Invalid("the tweet is empty", field="text")
        key = self._key(actor, idempotency_key, ("post", text, reply_to, quote_of, tuple(media)))
        earlier = await self._repeated(key)
        if earlier is not None:
            return earlier
        parent = await self._original(sight, reply_to) if reply_to else None
        quoted = await self._shareable(sight, quote_of) if quote_of else None
        found = texts.entities(text, self._limits.username_chars_max)
        mentioned = await self._mentioned(found.names)
        tweet_id = self._ids.next()
        tweet = Tweet(
            tweet_id=tweet_id,
            author_id=actor,
            text=text,
            created_ms=ms_of(tweet_id),
            reply_to=parent.tweet_id if parent else 0,
            reply_to_author=parent.author_id if parent else 0,
            conversation_id=(parent.conversation_id or parent.tweet_id) if parent else tweet_id,
            quote_of=quoted.tweet_id if quoted else 0,
            quote_of_author=quoted.author_id if quoted else 0,
            hashtags=found.hashtags,
            mentions=tuple(mentioned.values()),
            mention_names=tuple(mentioned),
            urls=found.urls,
            media=tuple(media),
        )
        return await self._put(tweet, key, request_id)

    async def retweet(self, actor: int, tweet_id: int, *, idempotency_key: str = "", request_id: str = "") -> Tweet:
        """Retweet the original of `tweet_id`; a repeat returns the standing retweet."""
        sight = await self._acting(actor)
        key = self._key(actor, idempotency_key, ("retweet", tweet_id))
        earlier = await self._repeated(key)
        if earlier is not None:
            return earlier
        original = await self._shareable(sight, tweet_id)
        own_id = self._ids.next()
        tweet = Tweet(
            tweet_id=own_id,
            author_id=actor,
            created_ms=ms_of(own_id),
            conversation_id=own_id,
            retweet_of=original.tweet_id,
            retweet_of_author=original.author_id,
        )
        return await self._put(tweet, key, request_id)

    async def unretweet(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Undo; false where none stood. What has vanished for the actor meanwhile he may still undo."""
        sight = await self._acting(actor)
        original = await self._original_id(tweet_id)
        (own_id,) = await self._stores.tweets.retweet_ids(actor, (original,))
        if not own_id:
            await self._original(sight, tweet_id)
            return False
        event = self._event(EventKind.TWEET_DELETED, actor, actor, tweet=own_id, ref=original, request_id=request_id)
        (undone,) = await self._stores.tweets.delete((own_id,), ((event,),))
        await self._caches.sync()
        return undone

    async def delete(self, actor: int, tweet_id: int, *, request_id: str = "") -> None:
        """Hide one's own tweet from every read at once. `Forbidden` for others' that the actor can see."""
        sight = await self._acting(actor)
        tweet = await self._caches.tweet(tweet_id)
        if tweet is None or tweet.deleted:
            raise _no_tweet()
        if tweet.author_id != actor:
            if await sight.sees(tweet):
                raise Forbidden("only its author deletes a tweet")
            raise _no_tweet()
        event = self._event(
            EventKind.TWEET_DELETED, actor, actor, tweet=tweet_id, ref=tweet.retweet_of, request_id=request_id
        )
        (deleted,) = await self._stores.tweets.delete((tweet_id,), ((event,),))
        await self._caches.sync()
        if not deleted:
            raise _no_tweet()

    async def like(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Like the original; false where it stood."""
        original = await self._original(await self._acting(actor), tweet_id)
        event = self._event(
            EventKind.LIKED, original.tweet_id, actor, tweet=original.tweet_id, target=original.author_id,
            request_id=request_id,
        )  # fmt: skip
        pairs = ((actor, original.tweet_id),)
        (liked,) = await self._stores.engagement.like(pairs, self._clock.now_ms(), ((event,),))
        await self._caches.sync()
        return liked

    async def unlike(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Undo; false where none stood. What has vanished for the actor meanwhile he may still undo."""
        sight = await self._acting(actor)
        original = await self._original_id(tweet_id)
        event = self._event(EventKind.UNLIKED, original, actor, tweet=original, request_id=request_id)
        (undone,) = await self._stores.engagement.unlike(((actor, original),), ((event,),))
        await self._caches.sync()
        if not undone:
            await self._original(sight, tweet_id)
        return undone

    async def _put(self, tweet: Tweet, key: IdempotencyKey | None, request_id: str) -> Tweet:
        """One durable step, then the author's own timeline."""
        event = self._event(
            EventKind.TWEET_CREATED, tweet.author_id, tweet.author_id, tweet=tweet.tweet_id, ref=tweet.retweet_of,
            target=tweet.retweet_of_author or tweet.reply_to_author, request_id=request_id,
        )  # fmt: skip
        (outcome,) = await self._stores.tweets.put((NewTweet(tweet=tweet, events=(event,), idempotency=key),))
        if outcome.status is not PutStatus.STORED:
            return await self._earlier(outcome)
        self._caches.keep_tweet(tweet)
        await self._show_author(tweet)
        await self._caches.sync()
        return tweet

    async def _show_author(self, tweet: Tweet) -> None:
        entries = np.array([[tweet.tweet_id, tweet.retweet_of]], dtype=np.int64)
        readers = np.array([tweet.author_id], dtype=np.int64)
        try:
            await soon(self._limits, self._stores.timelines.push(entries, readers, self._clock.now_ms()))
        except StoreError as error:
            log.warning("tweet %d stands, but its author's timeline will show it late: %s", tweet.tweet_id, error)

    async def _repeated(self, key: IdempotencyKey | None) -> Tweet | None:
        """What this request made when it came before, asked first: what it speaks of may have vanished since."""
        outcome = None if key is None else await self._stores.tweets.repeated(key, self._clock.now_ms())
        return None if outcome is None else await self._earlier(outcome)

    async def _earlier(self, outcome: PutOutcome) -> Tweet:
        """What a repeated request made the first time."""
        if outcome.status is PutStatus.KEY_REUSED:
            raise Conflict(
                "this idempotency key was used for another request", try_="use a new key for each tweet", code="KEY_REUSED"
            )
        await self._caches.sync()
        (tweet,) = await self._stores.tweets.get((outcome.tweet_id,))
        if tweet is None or tweet.deleted:
            raise made_gone(outcome.tweet_id)
        return tweet

    async def _acting(self, actor: int) -> Sight:
        await self._caches.sync()
        acting(await self._caches.user(actor))
        return Sight(self._caches, await self._caches.viewer(actor))

    async def _original(self, sight: Sight, tweet_id: int) -> Tweet:
        """The tweet, or what it retweets, where the actor may see it; else `NotFound`."""
        tweet = await self._caches.tweet(tweet_id)
        if tweet is None or not await sight.sees(tweet):
            raise _no_tweet()
        original = await self._caches.tweet(tweet.retweet_of) if tweet.retweet_of else tweet
        if original is None:
            raise _no_tweet()
        return original

    async def _shareable(self, sight: Sight, tweet_id: int) -> Tweet:
        original = await self._original(sight, tweet_id)
        author = await self._caches.user(original.author_id)
        if author is None or author.is_private:
            raise Forbidden("tweets of private accounts are not shared", meaning="not even by that account itself")
        return original

    async def _original_id(self, tweet_id: int) -> int:
        tweet = await self._caches.tweet(tweet_id)
        if tweet is None:
            raise _no_tweet()
        return tweet.retweet_of or tweet_id

    async def _mentioned(self, names: Sequence[str]) -> dict[str, int]:
        """Who is meant, of the first `mentions_per_tweet_max` names; those that are nobody's stay mere text."""
        names = names[: self._limits.mentions_per_tweet_max]
        found = await self._stores.accounts.ids_of(names) if names else []
        return {name: user_id for name, user_id in zip(names, found, strict=True) if user_id}

    def _check_media(self, media: Sequence[str]) -> None:
        if len(media) > self._limits.media_per_tweet_max:
            what = f"{len(media)} media, {self._limits.media_per_tweet_max} are allowed"
            raise Invalid(what, field="media")
        for one in media:
            if texts.blank(texts.written(one, "media", self._limits.url_chars_max)):
                raise Invalid("an empty media id", field="media")

    def _key(self, actor: int, key: str, body: tuple[object, ...]) -> IdempotencyKey | None:
        if not key:
            return None
        texts.written(key, "idempotency_key", self._limits.idempotency_key_chars_max)
        body_hash = hashlib.sha256(msgspec.json.encode(body)).digest()
        return IdempotencyKey(actor, key, body_hash, self._clock.now_ms() + self._limits.idempotency_ttl_ms)

    def _event(
        self, kind: EventKind, key: int, actor: int, *, tweet: int, target: int = 0, ref: int = 0, request_id: str = ""
    ) -> Event:
        at_ms = self._clock.now_ms()
        return Event(kind=kind, key=key, actor=actor, tweet=tweet, target=target, ref=ref, at_ms=at_ms, request_id=request_id)


def made_gone(tweet_id: int) -> Gone:
    """What a repeated request is told that had made this tweet. Making another would undo a deletion that somebody asked for."""
    what = f"this request made tweet {tweet_id}, which is gone since"
    return Gone(what, meaning="it is not made again", try_="use a new idempotency key to make another")


def _no_tweet() -> NotFound:
    return NotFound("no such tweet")
