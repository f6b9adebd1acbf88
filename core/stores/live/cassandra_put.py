"""Storing tweets: look whether the id is free, reserve what must be unique, then one logged batch of the tweet, its rows in all
lists and its events; counts last.

A plain tweet costs one read, one batch and a counter. Only a key or a retweet costs a Paxos round.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...errors import StoreError
from ...events import Event, EventKind
from ...model import NewTweet, PutOutcome, PutStatus, Tweet
from .cassandra_claims import Claims
from .cassandra_counts import Changes, Counts
from .cassandra_lists import CONVERSATIONS, QUOTES, REPLIES, RETWEETS, USER_TWEETS, Lists
from .cassandra_outbox import CassandraOutbox
from .cassandra_reservations import Reservations, Reserved, pair_of
from .cassandra_rows import emptied, put, tweets_of
from .cassandra_session import Bound, CassandraSession, chunks, spread
from .outbox import Outgoing

GROUP = 16  # tweets stored together: within one time limit
COUNTED = 256  # tweets of a large call that are written and then counted: before a sweep takes them for forgotten
GROUPS_AT_ONCE = 12
RESERVED_GROUP = 4  # a user's tweets reserved and then written together: the first claim must be fresh after the last
BATCH_BYTES = 4_096  # of several tweets in one batch: past 5 KiB the server complains
ROW_BYTES = 90  # of a row of a list, about


class _Write(msgspec.Struct):
    """A tweet about to be stored, and what its place in the call is to be answered with."""

    place: int
    tweet: Tweet
    events: tuple[Event, ...]
    stamp_us: int

    def bytes(self) -> int:
        """Its size in a batch, about."""
        return 6 * ROW_BYTES + 2 * len(self.tweet.text) + 2 * ROW_BYTES * len(self.events)


class _Call:
    """One call of `put`: its answers, and what was written."""

    def __init__(self, tweets: Sequence[NewTweet]) -> None:
        self.tweets = tweets
        self.outcomes: list[PutOutcome] = [PutOutcome(PutStatus.STORED, 0)] * len(tweets)
        self.changes = Changes()
        self.outgoing: dict[int, list[Outgoing]] = {}


class Putting:
    """`ports.Tweets.put` over one keyspace."""

    def __init__(
        self, session: CassandraSession, lists: Lists, counts: Counts, outbox: CassandraOutbox, *, claims: Claims,
        reservations: Reservations,
    ) -> None:  # fmt: skip
        self._session = session
        self._lists = lists
        self._counts = counts
        self._outbox = outbox
        self._claims = claims
        self._reservations = reservations
        reservations.complete = self.complete

    async def complete(self, tweet: Tweet, claim_us: int) -> None:
        """Write the batch of a tweet that stands once more: its rows and its event's, each as old as they were. An event that
        was sent and taken away stays away, since that was later."""
        event = Event(
            kind=EventKind.TWEET_CREATED, key=tweet.author_id, actor=tweet.author_id, tweet=tweet.tweet_id, ref=tweet.retweet_of,
            target=tweet.retweet_of_author or tweet.reply_to_author, at_ms=tweet.created_ms,
        )  # fmt: skip
        rows, outgoing = self._outbox.add((event,), claim_us, tweet.tweet_id, tweet.author_id)
        bound = [*self._rows(tweet, claim_us), *rows]
        await self._session.write(bound)
        self._lists.stand(bound)
        await self._outbox.wrote(outgoing, self._outbox.mended((event,)))

    async def put(self, tweets: Sequence[NewTweet]) -> list[PutOutcome]:
        """See `ports.Tweets.put`. All ids are looked at before anything is written."""
        call = _Call(tweets)
        try:
            async with self._session.limited(len(tweets)):
                await self._store(call)
        finally:
            await self._count(call)
        return call.outcomes

    async def _store(self, call: _Call) -> None:
        tweets = call.tweets
        existing = await tweets_of(self._session, [new.tweet.tweet_id for new in tweets])
        await self._refuse_taken(tweets, existing)
        for number, wave in enumerate(_waves(tweets)):
            if number:
                existing = await tweets_of(self._session, [tweets[place].tweet.tweet_id for place in wave])
            for some in chunks(wave, COUNTED):
                await self._wave(call, some, existing)
                if len(tweets) > COUNTED:
                    await self._count(call)

    async def _count(self, call: _Call) -> None:
        """Count what was written, and hand it on."""
        changes, call.changes = call.changes, Changes()
        outgoing, call.outgoing = [one for place in sorted(call.outgoing) for one in call.outgoing[place]], {}
        await self._outbox.wrote(outgoing, self._counts.change(changes.bound()))

    async def _refuse_taken(self, tweets: Sequence[NewTweet], existing: dict[int, Tweet]) -> None:
        """A tweet put twice is the same tweet. Another one under its id must not be taken for it: a clock that was set back
        gives a process the ids of one that died."""
        seen = dict(existing)
        for new in tweets:
            tweet, there = new.tweet, seen.setdefault(new.tweet.tweet_id, new.tweet)
            if there in (tweet, emptied(tweet)):
                continue
            key = new.idempotency
            if key is not None and await self._reservations.key_row(key, self._claims.now_ms()) is not None:
                continue
            what = f"tweet id {tweet.tweet_id} is taken by another tweet"
            raise StoreError(what, code="TWEET_ID_TAKEN", meaning="the clock was set back; nothing was written", try_="again")

    async def _wave(self, call: _Call, wave: Sequence[int], existing: dict[int, Tweet]) -> None:
        """Store tweets that have nothing in common which must be unique."""
        there, plain = [], []
        reserving: dict[int, list[int]] = {}
        for place in wave:
            new = call.tweets[place]
            if new.tweet.tweet_id in existing:
                there.append(place)
            elif new.idempotency is None and not new.tweet.retweet_of:
                plain.append(place)
            else:
                reserving.setdefault(new.idempotency.user_id if new.idempotency else new.tweet.author_id, []).append(place)
        await spread(lambda place: self._repeat(call, place), there)
        await spread(lambda some: self._plain(call, some), chunks(plain, GROUP), GROUPS_AT_ONCE)
        groups = list(reserving.values())
        await spread(lambda group: self._reserving(call, group), groups, GROUPS_AT_ONCE)

    async def _repeat(self, call: _Call, place: int) -> None:
        new = call.tweets[place]
        call.outcomes[place] = PutOutcome(PutStatus.REPEATED, new.tweet.tweet_id)
        if new.idempotency is not None:
            row = await self._reservations.key_row(new.idempotency, self._claims.now_ms())
            if row is not None and row.body_hash != new.idempotency.body_hash:
                call.outcomes[place] = PutOutcome(PutStatus.KEY_REUSED, 0)
            elif row is not None:
                call.outcomes[place] = PutOutcome(PutStatus.REPEATED, row.tweet_id)

    async def _plain(self, call: _Call, places: Sequence[int]) -> None:
        async with self._session.bounded():
            stamps = self._claims.stamps
            await self._write(call, [_Write(one, call.tweets[one].tweet, call.tweets[one].events, stamps.next()) for one in places])

    async def _reserving(self, call: _Call, places: Sequence[int]) -> None:
        """Tweets of one user, some at a time: he is his keys' partition, and Paxos rounds of one partition wait for each other."""
        for some in chunks(places, RESERVED_GROUP):
            async with self._session.bounded():
                held: dict[int, Reserved | PutOutcome] = {}
                keyed = [place for place in some if call.tweets[place].idempotency is not None]
                if keyed:
                    reserved = await self._reservations.keys([call.tweets[place] for place in keyed])
                    held.update(zip(keyed, reserved, strict=True))
                writes = []
                for place in some:
                    won = await self._pair(call.tweets[place], held.get(place))
                    if isinstance(won, PutOutcome):
                        call.outcomes[place] = won
                    else:
                        self._claims.check_fresh(won.claim_us)
                        writes.append(_under(place, call.tweets[place], won))
                await self._write(call, writes)

    async def _pair(self, new: NewTweet, held: Reserved | PutOutcome | None) -> Reserved | PutOutcome:
        """After the key, if there is one: the retweet's pair, if it is one."""
        if isinstance(held, PutOutcome) or (held is not None and not new.tweet.retweet_of):
            return held
        tweet = new.tweet
        if held is not None and held.tweet_id != tweet.tweet_id:
            tweet = msgspec.structs.replace(tweet, tweet_id=held.tweet_id, created_ms=held.created_ms)
        won = await self._reservations.retweet(tweet)
        if held is not None and won.tweet_id != held.tweet_id:
            await self._reservations.point_key(new, held, won.tweet_id)
        return won

    async def _write(self, call: _Call, writes: Sequence[_Write]) -> None:
        for some in _by_bytes(writes):
            bound: list[Bound] = []
            outgoing: dict[int, list[Outgoing]] = {}
            for one in some:
                bound += self._rows(one.tweet, one.stamp_us)
                events, outgoing[one.place] = self._outbox.add(one.events, one.stamp_us, one.tweet.tweet_id, one.tweet.author_id)
                bound += events
            await self._session.write(bound)
            self._lists.stand(bound)
            call.outgoing.update(outgoing)
            for one in some:
                tweet = one.tweet
                own = tweet.tweet_id == call.tweets[one.place].tweet.tweet_id
                call.outcomes[one.place] = PutOutcome(PutStatus.STORED if own else PutStatus.REPEATED, tweet.tweet_id)
                call.changes.tweet(tweet.author_id, tweet.retweet_of, tweet.reply_to, tweet.quote_of, 1)

    def _rows(self, tweet: Tweet, stamp_us: int) -> list[Bound]:
        """The tweet, and its row in every list that it belongs to."""
        own, author = tweet.tweet_id, tweet.author_id
        bound = [put(tweet, stamp_us), *self._lists.add(USER_TWEETS, author, own, tweet.retweet_of, stamp_us)]
        if tweet.conversation_id not in (0, own):
            bound += self._lists.add(CONVERSATIONS, tweet.conversation_id, own, author, stamp_us)
        for table, owner in ((REPLIES, tweet.reply_to), (RETWEETS, tweet.retweet_of), (QUOTES, tweet.quote_of)):
            if owner:
                bound += self._lists.add(table, owner, own, author, stamp_us)
        if tweet.retweet_of:
            bound.append(("retweets_by.stood", (stamp_us, own, *pair_of(tweet))))
        return bound


def _under(place: int, new: NewTweet, won: Reserved) -> _Write:
    """The tweet and its events under the id that was reserved, mostly its own."""
    tweet, events = new.tweet, new.events
    if won.tweet_id != tweet.tweet_id:
        own = tweet.tweet_id
        thread = won.tweet_id if tweet.conversation_id == own else tweet.conversation_id
        tweet = msgspec.structs.replace(tweet, tweet_id=won.tweet_id, created_ms=won.created_ms, conversation_id=thread)
        events = tuple(msgspec.structs.replace(one, tweet=won.tweet_id) if one.tweet == own else one for one in events)
    return _Write(place, tweet, events, won.claim_us)


def _waves(tweets: Sequence[NewTweet]) -> list[list[int]]:
    """Places of the call in an order in which each finds what it repeats stored: mostly all in one wave."""
    waves: list[list[int]] = []
    left: Sequence[int] = range(len(tweets))
    while left:
        seen: set[tuple[object, ...]] = set()
        now: list[int] = []
        later: list[int] = []
        for place in left:
            tweet, key = tweets[place].tweet, tweets[place].idempotency
            names: set[tuple[object, ...]] = {(tweet.tweet_id,)}
            if key is not None:
                names.add((key.user_id, key.key))
            if tweet.retweet_of:
                names.add((tweet.author_id, tweet.retweet_of))
            (now if seen.isdisjoint(names) else later).append(place)
            seen |= names
        waves.append(now)
        left = later
    return waves


def _by_bytes(writes: Sequence[_Write]) -> list[list[_Write]]:
    """In batches of bounded size, at least one tweet each."""
    batches: list[list[_Write]] = []
    room = 0
    for one in writes:
        room -= one.bytes()
        if room < 0:
            batches.append([])
            room = BATCH_BYTES - one.bytes()
        batches[-1].append(one)
    return batches
