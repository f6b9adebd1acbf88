"""Accounts: profiles, names, secrets, and how many followers, followees and tweets each has.

User ids are dense (1, 2, 3 …) because they are given inside the one writing transaction. Rows are never removed; a deleted
account keeps its id. It judges no names and hashes no passwords.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from ...errors import Conflict, NotFound
from ...events import Event, EventKind
from ...model import AccountStatus, Credentials, NewAccount, User, UserCounts
from .db import Database, listed
from .log import append
from .writer import LONG

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    user_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, email TEXT UNIQUE,
    password_hash TEXT NOT NULL, profile BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS user_counts (
    user_id INTEGER PRIMARY KEY,
    followers INTEGER NOT NULL DEFAULT 0, following INTEGER NOT NULL DEFAULT 0, tweets INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS deactivated_users (user_id INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL);
"""

NO_COUNTS = UserCounts()

_LAST = "SELECT coalesce(max(user_id), 0) FROM users"
_INSERT = "INSERT INTO users VALUES (?, ?, ?, ?, ?)"
_PROFILES = "SELECT user_id, profile FROM users WHERE user_id IN (SELECT value FROM json_each(?))"
_COUNT = """INSERT INTO user_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
followers = followers + excluded.followers, following = following + excluded.following, tweets = tweets + excluded.tweets"""

_DEACTIVATED = """SELECT profile FROM users WHERE user_id IN
(SELECT user_id FROM deactivated_users WHERE since_ms < ? ORDER BY user_id LIMIT ?) ORDER BY user_id"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(User).decode


def count(conn: sqlite3.Connection, changes: Iterable[tuple[int, int, int, int]]) -> None:
    """Add (user id, followers, following, tweets) to the counts, within the write that changed them."""
    conn.executemany(_COUNT, changes)


class SqliteAccounts:
    """`ports.Accounts` over two tables."""

    def __init__(self, db: Database, above: int = 0) -> None:
        """Ids are given from `above` + 1 on."""
        self._db = db
        self._above = above

    async def create(self, accounts: Sequence[NewAccount]) -> list[User]:
        if not accounts:
            return []
        return await self._db.writer.run(lambda conn: _create(conn, accounts, self._above), long=len(accounts) > LONG)

    async def get(self, user_ids: Sequence[int]) -> list[User | None]:
        found = self._db.keyed(_PROFILES, user_ids)
        return [_decode(found[user_id]) if user_id in found else None for user_id in user_ids]

    async def ids_of(self, usernames: Sequence[str]) -> list[int]:
        rows = self._db.each("SELECT user_id FROM users WHERE name = ?", [(name.lower(),) for name in usernames])
        return [row[0] if row else 0 for row in rows]

    async def credentials(self, user_id: int) -> Credentials | None:
        row = self._db.row("SELECT password_hash, profile FROM users WHERE user_id = ?", (user_id,))
        if row is None:
            return None
        user = _decode(row[1])
        return Credentials(user_id, row[0], user.status, user.deactivated_ms)

    async def update(self, user: User, events: Sequence[Event], *, password_hash: str | None = None) -> None:
        await self._db.writer.run(lambda conn: change(conn, user, events, password_hash))

    async def counts(self, user_ids: Sequence[int]) -> list[UserCounts]:
        if len(user_ids) > LONG:
            rows = self._db.rows("SELECT * FROM user_counts WHERE user_id IN (SELECT value FROM json_each(?))", (listed(user_ids),))
            found = {user_id: UserCounts(*counts) for user_id, *counts in rows}
            return [found.get(user_id, NO_COUNTS) for user_id in user_ids]
        sql = "SELECT followers, following, tweets FROM user_counts WHERE user_id = ?"
        return [UserCounts(*row) if row else UserCounts() for row in self._db.each(sql, [(one,) for one in user_ids])]

    async def page(self, after: int, limit: int) -> list[User]:
        rows = self._db.rows("SELECT profile FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?", (after, limit))
        return [_decode(profile) for (profile,) in rows]

    async def deactivated(self, before_ms: int, limit: int) -> list[User]:
        return [_decode(profile) for (profile,) in self._db.rows(_DEACTIVATED, (before_ms, limit))]

    async def count(self) -> int:
        return int(self._db.row(_LAST)[0])


def adopt(conn: sqlite3.Connection, user: User) -> None:
    """Store an account that is known elsewhere, id and all, unless it is here already. It counts nothing and tells nobody."""
    row = (user.user_id, user.username.lower(), user.email.lower() or None, "", _encode(user))
    conn.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?, ?)", row)


def _create(conn: sqlite3.Connection, accounts: Sequence[NewAccount], above: int) -> list[User]:
    (last,) = conn.execute(_LAST).fetchone()
    last = max(last, above)
    users = [
        User(user_id=user_id, username=new.username, display_name=new.display_name, email=new.email, created_ms=new.created_ms)
        for user_id, new in enumerate(accounts, last + 1)
    ]
    rows = [
        (user.user_id, user.username.lower(), user.email.lower() or None, new.password_hash, _encode(user))
        for user, new in zip(users, accounts, strict=True)
    ]
    try:
        if len(rows) == 1:
            conn.execute(_INSERT, rows[0])
        else:
            conn.executemany(_INSERT, rows)
    except sqlite3.IntegrityError as error:
        raise _taken(error) from None
    append(conn, [
        Event(kind=EventKind.USER_CREATED, key=user.user_id, actor=user.user_id, at_ms=user.created_ms) for user in users
    ])
    return users


def change(conn: sqlite3.Connection, user: User, events: Sequence[Event], password_hash: str | None) -> None:
    """See `ports.Accounts.update`."""
    row = conn.execute("SELECT password_hash, profile FROM users WHERE user_id = ?", (user.user_id,)).fetchone()
    if row is None:
        what = f"no account {user.user_id}"
        raise NotFound(what)
    old_hash, old = row
    secret = old_hash if password_hash is None else password_hash
    profile = _encode(msgspec.structs.replace(user, username=_decode(old).username))
    if profile == old and secret == old_hash:
        return
    try:
        conn.execute(
            "UPDATE users SET email = ?, password_hash = ?, profile = ? WHERE user_id = ?",
            (user.email.lower() or None, secret, profile, user.user_id),
        )
    except sqlite3.IntegrityError as error:
        raise _taken(error) from None
    if user.status is AccountStatus.DEACTIVATED:
        conn.execute("INSERT OR REPLACE INTO deactivated_users VALUES (?, ?)", (user.user_id, user.deactivated_ms))
    else:
        conn.execute("DELETE FROM deactivated_users WHERE user_id = ?", (user.user_id,))
    append(conn, events)


def _taken(error: sqlite3.IntegrityError) -> Conflict:
    if "users.email" in str(error):
        return Conflict("that e-mail address belongs to another account", code="EMAIL_TAKEN", try_="log in, or name another")
    return Conflict("that username is taken", code="USERNAME_TAKEN", try_="choose another")
