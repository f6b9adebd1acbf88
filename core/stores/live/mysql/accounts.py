"""Accounts: each in its shard, found by name or e-mail through the directory, with its counts of followers beside it.

Creating one is four steps over as many servers: an id, reservations of name and e-mail, the row, the confirmation. Cut short
after any of them it is finished or undone by the sweeper. It judges no names and hashes no passwords.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pymysql
from pymysql.constants import ER

from ....clock import Clock
from ....errors import Conflict, NotFound, StoreTimeout
from ....events import Event, EventKind
from ....model import Credentials, NewAccount, User, UserCounts
from .directory import EMAIL, NAME, Directory, Key, away_ms, decode, encode, keys_of, taken
from .errors import code_of
from .ids import UserIds, runs
from .server import Session
from .shards import Shards, keyed, shard_of, together

STALE_MS = 60_000  # a claim this old is nobody's any more; far above what a call may take
PAGE_TAIL = 64  # ids at the end of the counter that are looked at to find the highest account

_PROFILES = "SELECT user_id, profile FROM users WHERE (shard, user_id) IN %s"
_ONE = "SELECT password_hash, profile FROM users WHERE shard = %s AND user_id = %s"
_INSERT = "INSERT INTO users (shard, user_id, password_hash, profile, deactivated_ms) VALUES (%s, %s, %s, %s, %s)"
_UPDATE = "UPDATE users SET password_hash = %s, profile = %s, deactivated_ms = %s WHERE shard = %s AND user_id = %s"
_INSERT_COUNTS = """INSERT INTO user_counts (shard, user_id) VALUES (%s, %s)
ON DUPLICATE KEY UPDATE user_id = user_counts.user_id"""
_COUNTS = "SELECT user_id, followers, following FROM user_counts WHERE (shard, user_id) IN %s"
_CLAIM = "INSERT INTO claims (shard, claim, done, at_ms) VALUES (%s, %s, 1, %s)"
_UNCLAIM = "DELETE FROM claims WHERE (shard, claim) IN %s"
_AWAY = "SELECT profile FROM users WHERE deactivated_ms < %s ORDER BY user_id LIMIT %s"

TweetsOf = Callable[[Sequence[int]], Awaitable[list[int]]]


class MysqlAccounts:
    """`ports.Accounts`. `tweets_of` gives the number of standing tweets of each user, which another store counts."""

    def __init__(self, shards: Shards, clock: Clock, tweets_of: TweetsOf) -> None:
        self.directory = Directory(shards)
        self.ids = UserIds(shards)
        self._shards = shards
        self._clock = clock
        self._tweets_of = tweets_of

    async def create(self, accounts: Sequence[NewAccount]) -> list[User]:
        if not accounts:
            return []
        _refuse_twice(accounts)
        claim, at_ms, until = new_claim(), self._clock.now_ms(), time.monotonic() + STALE_MS / 2_000
        ids = await self.ids.grant(len(accounts), claim, at_ms)
        users = [
            User(
                user_id=user_id, username=new.username, display_name=new.display_name, email=new.email,
                created_ms=new.created_ms,
            )
            for user_id, new in zip(ids, accounts, strict=True)
        ]
        keys = [key for user in users for key in keys_of(user)]
        try:
            await self.directory.reserve(keys, claim, at_ms)
        except Conflict:
            await self.ids.give_back(claim, ids, [first for first, _ in runs(ids)])
            raise
        if time.monotonic() > until:
            what = "the names were not reserved in time"
            raise StoreTimeout(what, meaning="no account was made", try_="repeat")
        await self._insert(users, [new.password_hash for new in accounts], claim, at_ms)
        await self.directory.confirm(claim, keys)
        await together([self._unclaim(users, claim), self.ids.done(claim)])
        return users

    async def get(self, user_ids: Sequence[int]) -> list[User | None]:
        return await self._shards.read_each(user_ids, shard_of, _profiles)

    async def ids_of(self, usernames: Sequence[str]) -> list[int]:
        found = await self.directory.find([Key(NAME, name.lower().encode(), 0) for name in usernames])
        pending = [user_id for user_id, claim in found if claim]
        if not pending:
            return [user_id for user_id, _ in found]
        there = {user.user_id for user in await self.get(pending) if user is not None}  # a reservation alone is nobody
        return [user_id if not claim or user_id in there else 0 for user_id, claim in found]

    async def credentials(self, user_id: int) -> Credentials | None:
        def work(session: Session) -> Credentials | None:
            row = session.row(_ONE, (shard_of(user_id), user_id))
            if row is None:
                return None
            user = decode(row[1])
            return Credentials(user_id, row[0], user.status, user.deactivated_ms)

        return await self._shards.read(shard_of(user_id), work)

    async def update(self, user: User, events: Sequence[Event], *, password_hash: str | None = None) -> None:
        while True:
            (old,) = await self.get([user.user_id])
            if old is None:
                what = f"no account {user.user_id}"
                raise NotFound(what)
            if await self._update_from(old, user, events, password_hash):
                return

    async def counts(self, user_ids: Sequence[int]) -> list[UserCounts]:
        edges, tweets = await asyncio.gather(self._edges(user_ids), self._tweets_of(user_ids))
        return [
            UserCounts(followers, following, of_user)
            for (followers, following), of_user in zip(edges, tweets, strict=True)
        ]

    async def page(self, after: int, limit: int) -> list[User]:
        """Ids are dense, so a page is the ids that come next; only what a crash has left makes it ask twice."""
        last, page = await self.ids.last(), list[User]()
        while len(page) < limit and after < last:
            ids = range(after + 1, min(last, after + limit - len(page)) + 1)
            page += [user for user in await self.get(ids) if user is not None]
            after = ids[-1]
        return page

    async def deactivated(self, before_ms: int, limit: int) -> list[User]:
        found = await self._shards.read_all(
            lambda session: [decode(profile) for (profile,) in session.rows(_AWAY, (before_ms, limit))]
        )
        return sorted((user for of_server in found for user in of_server), key=lambda user: user.user_id)[:limit]

    async def count(self) -> int:
        last = await self.ids.last()
        while last > 0:
            ids = range(last, max(0, last - PAGE_TAIL), -1)
            standing = next((user.user_id for user in await self.get(ids) if user is not None), 0)
            if standing:
                return standing
            last = ids[-1] - 1
        return 0

    async def _insert(self, users: Sequence[User], hashes: Sequence[str], claim: int, at_ms: int) -> None:
        def work(session: Session, own: Sequence[tuple[User, str]]) -> list[None]:
            claim_shards(session, {shard_of(user.user_id) for user, _ in own}, claim, at_ms)
            rows = [(shard_of(user.user_id), user.user_id, secret, encode(user), away_ms(user)) for user, secret in own]
            session.many(_INSERT, sorted(rows))
            session.many(_INSERT_COUNTS, sorted(row[:2] for row in rows))
            for index, (user, _) in enumerate(own):
                made = Event(kind=EventKind.USER_CREATED, key=user.user_id, actor=user.user_id, at_ms=user.created_ms)
                session.tell(index, shard_of(user.user_id), (made,))
            return [None] * len(own)

        pairs = list(zip(users, hashes, strict=True))
        await self._shards.write_each(pairs, lambda pair: shard_of(pair[0].user_id), work)

    async def _unclaim(self, users: Sequence[User], claim: int) -> None:
        """The decision has been carried out: nobody will ask for it."""
        def work(session: Session, own: Sequence[int]) -> list[None]:
            session.each(_UNCLAIM, [(shard, claim) for shard in own])
            return [None] * len(own)

        await self._shards.write_each(sorted({shard_of(user.user_id) for user in users}), lambda shard: shard, work)

    async def _update_from(self, old: User, user: User, events: Sequence[Event], password_hash: str | None) -> bool:
        """One attempt; false where the account's e-mail changed under our hands."""
        user = msgspec.structs.replace(user, username=old.username)
        before, after = (
            [key for key in keys_of(one) if key.kind == EMAIL] for one in (old, user)
        )
        if before == after:
            return await self._rewrite(old, user, events, password_hash, 0)
        claim, at_ms = new_claim(), self._clock.now_ms()
        await self.directory.reserve(after, claim, at_ms)
        for key in before:
            await self.directory.release(key, claim, at_ms)
        written = await self._rewrite(old, user, events, password_hash, claim)
        now = [user] if written else await self.get([user.user_id])
        held = {key for one in now if one is not None for key in keys_of(one)}
        await together([self.directory.settle([key], claim, kept=key in held) for key in (*before, *after)])
        if written:
            await self._unclaim([user], claim)
        return written

    async def _rewrite(self, old: User, user: User, events: Sequence[Event], password_hash: str | None, claim: int) -> bool:
        shard, at_ms = shard_of(user.user_id), self._clock.now_ms()

        def work(session: Session) -> bool:
            old_hash, old_profile = session.row(f"{_ONE} FOR UPDATE", (shard, user.user_id))
            if decode(old_profile).email != old.email:
                return False
            secret, profile = (old_hash if password_hash is None else password_hash), encode(user)
            if profile == old_profile and secret == old_hash:
                return True
            if claim:
                claim_shards(session, {shard}, claim, at_ms)
            session.run(_UPDATE, (secret, profile, away_ms(user), shard, user.user_id))
            session.tell(0, shard, events)
            return True

        return await self._shards.write(shard, work, turn=(user.user_id,))

    async def _edges(self, user_ids: Sequence[int]) -> list[tuple[int, int]]:
        def work(session: Session, own: Sequence[int]) -> list[tuple[int, int]]:
            found = {user_id: (followers, following) for user_id, followers, following in session.among(_COUNTS, keyed(own))}
            return [found.get(user_id, (0, 0)) for user_id in own]

        return await self._shards.read_each(user_ids, shard_of, work)


def new_claim() -> int:
    """Names one call among all that ever were."""
    return random.SystemRandom().randrange(1, 1 << 63)


def claim_shards(session: Session, shards: set[int], claim: int, at_ms: int) -> None:
    """Decide, with this transaction, that the claim is done in these shards. `StoreTimeout` where it was found void."""
    try:
        session.many(_CLAIM, [(shard, claim, at_ms) for shard in sorted(shards)])
    except pymysql.IntegrityError as error:
        if code_of(error) != ER.DUP_ENTRY:
            raise
        what = "the reservation of a name or an address was given up before the account was written"
        raise StoreTimeout(what, meaning="nothing was written", try_="repeat") from error


def _profiles(session: Session, own: Sequence[int]) -> list[User | None]:
    found = dict(session.among(_PROFILES, keyed(own)))
    return [decode(found[user_id]) if user_id in found else None for user_id in own]


def _refuse_twice(accounts: Sequence[NewAccount]) -> None:
    """A call whose own accounts stand in each other's way."""
    seen: set[tuple[int, str]] = set()
    for new in accounts:
        for kind, text in ((NAME, new.username.lower()), (EMAIL, new.email.lower())):
            if text and (kind, text) in seen:
                raise taken(kind)
            seen.add((kind, text))
