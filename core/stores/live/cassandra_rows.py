"""A tweet as a row of `tweets`. What is zero or empty is not stored; a tombstone is told by `deleted_us`, whatever else is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from cassandra.query import UNSET_VALUE

from ...model import Tweet
from .cassandra_lists import IN_MAX
from .cassandra_session import Bound, CassandraSession, chunks, spread

_FIELDS = (
    "tweet_id", "author_id", "text", "created_ms", "reply_to", "reply_to_author", "conversation_id", "retweet_of",
    "retweet_of_author", "quote_of", "quote_of_author", "entities",
)  # fmt: skip
COLUMNS = ", ".join(_FIELDS)

STATEMENTS = {
    "tweets.put": f"INSERT INTO tweets ({COLUMNS}) VALUES ({', '.join('?' * len(_FIELDS))}) USING TIMESTAMP ?",  # noqa: S608 - column names of ours
    "tweets.get": f"SELECT {COLUMNS}, deleted_us FROM tweets WHERE tweet_id IN ?",  # noqa: S608 - column names of ours
    "tweets.one": f"SELECT {COLUMNS}, deleted_us FROM tweets WHERE tweet_id = ?",  # noqa: S608 - the same
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
).decode


def put(tweet: Tweet, stamp_us: int) -> Bound:
    """The statement that stores it."""
    entities = (tweet.hashtags, tweet.mentions, tweet.mention_names, tweet.urls, tweet.media)
    values = (
        tweet.tweet_id, tweet.author_id, tweet.text, tweet.created_ms, tweet.reply_to, tweet.reply_to_author,
        tweet.conversation_id, tweet.retweet_of, tweet.retweet_of_author, tweet.quote_of, tweet.quote_of_author,
        _encode(entities) if any(entities) else None,
    )  # fmt: skip
    return "tweets.put", (*(value or UNSET_VALUE for value in values), stamp_us)


def tweet_of(row: Sequence[Any]) -> Tweet | None:
    """The tweet of a row; `None` where only its deletion is left of it, which only a lost batch can cause."""
    (tweet_id, author_id, text, created_ms, reply_to, reply_to_author, conversation_id,
     retweet_of, retweet_of_author, quote_of, quote_of_author, entities, deleted_us) = row  # fmt: skip
    if author_id is None:
        return None
    deleted = deleted_us is not None
    if not (reply_to or retweet_of or quote_of or entities or deleted):  # most: what is not said costs nothing
        return Tweet(
            tweet_id=tweet_id, author_id=author_id, text=text or "", created_ms=created_ms or 0, conversation_id=conversation_id or 0
        )
    hashtags, mentions, mention_names, urls, media = _decode(entities) if entities and not deleted else ((), (), (), (), ())
    return Tweet(
        tweet_id=tweet_id, author_id=author_id, text="" if deleted else text or "", created_ms=created_ms or 0,
        reply_to=reply_to or 0, reply_to_author=reply_to_author or 0, conversation_id=conversation_id or 0,
        retweet_of=retweet_of or 0, retweet_of_author=retweet_of_author or 0, quote_of=quote_of or 0,
        quote_of_author=quote_of_author or 0, hashtags=hashtags, mentions=mentions, mention_names=mention_names, urls=urls,
        media=media, deleted=deleted,
    )  # fmt: skip


def emptied(tweet: Tweet) -> Tweet:
    """What a delete leaves of it."""
    return msgspec.structs.replace(tweet, text="", hashtags=(), mentions=(), mention_names=(), urls=(), media=(), deleted=True)


async def tweets_of(session: CassandraSession, tweet_ids: Sequence[int]) -> dict[int, Tweet]:
    """Those that exist, tombstones included. One alone goes straight to a node that holds it."""
    if len(tweet_ids) == 1:
        answers = [await session.read("tweets.one", (tweet_ids[0],))]
    else:
        asked = chunks(list(dict.fromkeys(tweet_ids)), IN_MAX)
        answers = await spread(lambda some: session.read("tweets.get", (some,)), asked)
    found = (tweet_of(row) for rows in answers for row in rows)
    return {tweet.tweet_id: tweet for tweet in found if tweet is not None}
