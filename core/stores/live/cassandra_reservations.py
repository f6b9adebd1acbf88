"""What must be unique before a tweet is written: its idempotency key, and one standing retweet a (user, original).

Each is reserved by compare-and-set and carries the id of its tweet. Where a reservation's tweet does not stand and its owner must
have given up, the repeat writes the tweet under the id that was reserved: should the owner's batch still come to light, it is
the same tweet, never a second one. Writes no tweet itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ...model import IdempotencyKey, NewTweet, PutOutcome, PutStatus, Tweet
from .cassandra_buckets import month_of
from .cassandra_claims import Claims
from .cassandra_rows import tweets_of
from .cassandra_session import Bound, CassandraSession

KEY_TTL_SLACK_S = 3_600  # a key's row outlives it a little: whether it holds is asked of the clock, not of the server's

STATEMENTS = {
    "keys.claim": "INSERT INTO idempotency (user_id, key, body_hash, expires_ms, tweet_id, created_ms, claim_us) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ?",
    "keys.take": "UPDATE idempotency USING TTL ? SET body_hash = ?, expires_ms = ?, tweet_id = ?, created_ms = ?, claim_us = ? "
    "WHERE user_id = ? AND key = ? IF claim_us = ?",
    "keys.get": "SELECT body_hash, expires_ms, tweet_id, created_ms, claim_us FROM idempotency WHERE user_id = ? AND key = ?",
    "retweets_by.claim": "INSERT INTO retweets_by (user_id, month, original, tweet_id, created_ms, claim_us) "
    "VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS",
    "retweets_by.take": "UPDATE retweets_by SET tweet_id = ?, created_ms = ?, claim_us = ? "
    "WHERE user_id = ? AND month = ? AND original = ? IF claim_us = ?",
    "retweets_by.get": "SELECT tweet_id, created_ms, claim_us, stood, undone, WRITETIME(undone) FROM retweets_by "
    "WHERE user_id = ? AND month = ? AND original = ?",
    "retweets_by.among": "SELECT original, tweet_id, stood, undone FROM retweets_by WHERE user_id = ? AND month = ? AND original IN ?",
    "retweets_by.stood": "UPDATE retweets_by USING TIMESTAMP ? SET stood = ? WHERE user_id = ? AND month = ? AND original = ?",
    "retweets_by.undone": "UPDATE retweets_by USING TIMESTAMP ? SET undone = ? WHERE user_id = ? AND month = ? AND original = ?",
}


class Reserved(msgspec.Struct, frozen=True):
    """A right to write one tweet: under which id, dated how, and since when it is held."""

    tweet_id: int
    created_ms: int
    claim_us: int


class KeyRow(msgspec.Struct, frozen=True):
    """A row of `idempotency`."""

    body_hash: bytes
    expires_ms: int
    tweet_id: int
    created_ms: int
    claim_us: int


def pair_of(tweet: Tweet) -> tuple[int, int, int]:
    """Where the retweet of this user and original is reserved."""
    return tweet.author_id, month_of(tweet.retweet_of), tweet.retweet_of


class Reservations:
    """Reserves, tells what stands already, and takes over what was left."""

    complete: Callable[[Tweet, int], Awaitable[None]]  # writes a tweet's batch again, as of its claim; given by whoever writes

    def __init__(self, session: CassandraSession, claims: Claims) -> None:
        self._session = session
        self._claims = claims

    async def key_row(self, key: IdempotencyKey, now_ms: int) -> KeyRow | None:
        """The row of a key that has not expired."""
        row = await self._key_row(key)
        return row if row is not None and row.expires_ms > now_ms else None

    async def keys(self, news: Sequence[NewTweet]) -> list[Reserved | PutOutcome]:
        """Reserve the keys of one user's tweets, all different: at once if all are new, which they mostly are."""
        wanted = [self._own(new, 0) for new in news]
        if await self._session.compare([self._claim_key(new, own) for new, own in zip(news, wanted, strict=True)]):
            return list(wanted)
        return [await self._key(new) for new in news]

    async def retweet(self, tweet: Tweet) -> Reserved | PutOutcome:
        """Reserve the pair for this retweet: mostly it is free, so what is there is looked at only where it is not."""
        pair = pair_of(tweet)
        while True:
            own = Reserved(tweet.tweet_id, tweet.created_ms, self._claims.stamps.next())
            if await self._session.compare([("retweets_by.claim", (*pair, *msgspec.structs.astuple(own)))]):
                return own
            rows = await self._session.read("retweets_by.get", pair)
            if not rows:
                continue
            tweet_id, created_ms, claim_us, stood, undone, undone_us = rows[0]
            stamp_us = self._claims.stamps.next(max(claim_us, undone_us or 0))
            if undone == tweet_id or (stood != tweet_id and self._claims.forgotten(claim_us)):
                taken = Reserved(tweet.tweet_id, tweet.created_ms, stamp_us)
            elif stood == tweet_id and await self.stands(tweet_id, claim_us):
                return PutOutcome(PutStatus.REPEATED, tweet_id)
            elif self._claims.lapsed(claim_us):
                taken = Reserved(tweet_id, created_ms or 0, stamp_us)
            else:
                await self._claims.wait()
                continue
            if await self._session.compare([("retweets_by.take", (*msgspec.structs.astuple(taken), *pair, claim_us))]):
                return taken

    async def stands(self, tweet_id: int, claim_us: int) -> bool:
        """Whether the tweet is there; then all of its batch is too. A server that died in the midst of it shows some rows before
        the others, until it finishes the batch: what is young is written once more, to the same effect."""
        tweet = (await tweets_of(self._session, [tweet_id])).get(tweet_id)
        if tweet is not None and not tweet.deleted and self._claims.torn(claim_us):
            await self.complete(tweet, claim_us)
        return tweet is not None

    async def point_key(self, new: NewTweet, held: Reserved, tweet_id: int) -> None:
        """Let the key name the tweet that its request came to, where that is not the one reserved with it."""
        stands = Reserved(tweet_id, held.created_ms, self._claims.stamps.next(held.claim_us))
        await self._session.compare([self._take_key(new, stands, held.claim_us)])

    async def _key(self, new: NewTweet) -> Reserved | PutOutcome:
        key = _key_of(new)
        while True:
            row = await self._key_row(key)
            if row is None:
                own = self._own(new, 0)
                if await self._session.compare([self._claim_key(new, own)]):
                    return own
                continue
            taken = self._own(new, row.claim_us)
            if row.expires_ms > self._claims.now_ms():
                same = row.body_hash == key.body_hash
                stands = await self.stands(row.tweet_id, row.claim_us)
                if stands or not (same or self._claims.lapsed(row.claim_us)):
                    return PutOutcome(PutStatus.REPEATED, row.tweet_id) if same else PutOutcome(PutStatus.KEY_REUSED, 0)
                if not self._claims.lapsed(row.claim_us):
                    await self._claims.wait()
                    continue
                if same and not self._claims.forgotten(row.claim_us):
                    taken = Reserved(row.tweet_id, row.created_ms, taken.claim_us)
            if await self._session.compare([self._take_key(new, taken, row.claim_us)]):
                return taken

    def _own(self, new: NewTweet, above: int) -> Reserved:
        return Reserved(new.tweet.tweet_id, new.tweet.created_ms, self._claims.stamps.next(above))

    async def _key_row(self, key: IdempotencyKey) -> KeyRow | None:
        rows = await self._session.read("keys.get", (key.user_id, key.key))
        return KeyRow(*rows[0]) if rows else None

    def _ttl_s(self, key: IdempotencyKey) -> int:
        return max(1, (key.expires_ms - self._claims.now_ms()) // 1_000 + KEY_TTL_SLACK_S)

    def _claim_key(self, new: NewTweet, own: Reserved) -> Bound:
        key = _key_of(new)
        values = (key.user_id, key.key, key.body_hash, key.expires_ms, *msgspec.structs.astuple(own), self._ttl_s(key))
        return "keys.claim", values

    def _take_key(self, new: NewTweet, taken: Reserved, old_us: int) -> Bound:
        key = _key_of(new)
        row = (key.body_hash, key.expires_ms, *msgspec.structs.astuple(taken))
        return "keys.take", (self._ttl_s(key), *row, key.user_id, key.key, old_us)


def _key_of(new: NewTweet) -> IdempotencyKey:
    if new.idempotency is None:
        raise AssertionError
    return new.idempotency
