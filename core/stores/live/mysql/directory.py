"""Names and e-mail addresses, each of which is one account's at most: reserved first, confirmed when the account's row
stands.

A reservation carries its call's claim. Who decides what became of a claim is the row of `claims` in the account's shard: the
call writes it with the account, the sweeper writes it as void, and whoever is first has decided. So a call that slept
through its time cannot take a name that was freed meanwhile. It judges no names.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ....errors import Conflict
from ....model import AccountStatus, User
from .server import Session
from .shards import Shards, shard_of_name

NAME, EMAIL = 0, 1

_RESERVE = """INSERT INTO directory (shard, kind, name, user_id, claim, at_ms) VALUES (%s, %s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE claim = directory.claim"""
_FIND = "SELECT kind, name, user_id, claim FROM directory WHERE (shard, kind, name) IN %s"
_CONFIRM = "UPDATE directory SET claim = 0 WHERE claim = %s"
_DROP = "DELETE FROM directory WHERE claim = %s"
_RELEASE = "UPDATE directory SET claim = %s, at_ms = %s WHERE user_id = %s AND shard = %s AND kind = %s AND name = %s"
_KEEP_ONE = "UPDATE directory FORCE INDEX (PRIMARY) SET claim = 0 WHERE claim = %s AND (shard, kind, name) IN %s"
_DROP_ONE = "DELETE FROM directory WHERE claim = %s AND (shard, kind, name) IN %s"

decode = msgspec.msgpack.Decoder(User).decode
encode = msgspec.msgpack.Encoder().encode


class Key(msgspec.Struct, frozen=True):
    """What one account is found by. `name` is in the case in which it is compared."""

    kind: int
    name: bytes
    user_id: int

    @property
    def shard(self) -> int:
        return shard_of_name(self.name)

    @property
    def place(self) -> tuple[int, int, bytes]:
        return self.shard, self.kind, self.name


def keys_of(user: User) -> list[Key]:
    """Name and e-mail, as far as there are any."""
    named = ((NAME, user.username), (EMAIL, user.email))
    return [Key(kind, text.lower().encode(), user.user_id) for kind, text in named if text]


def away_ms(user: User) -> int | None:
    """The column that finds the deactivated: since when, `None` for others."""
    return user.deactivated_ms if user.status is AccountStatus.DEACTIVATED else None


def taken(kind: int) -> Conflict:
    if kind == EMAIL:
        return Conflict("that e-mail address belongs to another account", code="EMAIL_TAKEN", try_="log in, or name another")
    return Conflict("that username is taken", code="USERNAME_TAKEN", try_="choose another")


class Directory:
    """Reservations over all servers."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def reserve(self, keys: Sequence[Key], claim: int, at_ms: int) -> None:
        """All of them, or `Conflict` for the first that is another's, and none."""
        def work(session: Session, own: Sequence[Key]) -> list[bool]:
            rows = [(*key.place, key.user_id, claim, at_ms) for key in own]
            if session.many(_RESERVE, rows) == len(own):
                return [True] * len(own)
            found = session.among(_FIND, [key.place for key in own])
            ours = {(kind, name) for kind, name, _, of_claim in found if of_claim == claim}
            return [(key.kind, key.name) in ours for key in own]

        for key, reserved in zip(keys, await self._shards.write_each(keys, lambda key: key.shard, work), strict=True):
            if not reserved:
                await self.drop(claim, keys)
                raise taken(key.kind)

    async def confirm(self, claim: int, keys: Sequence[Key]) -> None:
        """Reservations of this claim hold from now on."""
        await self._on_servers(_CONFIRM, claim, keys)

    async def drop(self, claim: int, keys: Sequence[Key]) -> None:
        """Give reservations of this claim back."""
        await self._on_servers(_DROP, claim, keys)

    async def release(self, key: Key, claim: int, at_ms: int) -> None:
        """Put a key that is held into the hands of this claim: it goes if the claim is done, and stays if it is void."""
        await self._shards.write(key.shard, lambda session: session.run(_RELEASE, (claim, at_ms, key.user_id, *key.place)))

    async def settle(self, keys: Sequence[Key], claim: int, *, kept: bool) -> None:
        """Confirm or drop these keys, as far as they are in the hands of this claim."""
        def work(session: Session, own: Sequence[Key]) -> list[None]:
            session.each(_KEEP_ONE if kept else _DROP_ONE, [key.place for key in own], claim)
            return [None] * len(own)

        await self._shards.write_each(keys, lambda key: key.shard, work)

    async def find(self, keys: Sequence[Key]) -> list[tuple[int, int]]:
        """(user id, claim) of each; (0, 0) for none. `user_id` of the keys is not looked at."""
        def work(session: Session, own: Sequence[Key]) -> list[tuple[int, int]]:
            rows = session.among(_FIND, sorted({key.place for key in own}))
            found = {(kind, name): (user_id, claim) for kind, name, user_id, claim in rows}
            return [found.get((key.kind, key.name), (0, 0)) for key in own]

        return await self._shards.read_each(keys, lambda key: key.shard, work)

    async def _on_servers(self, sql: str, claim: int, keys: Sequence[Key]) -> None:
        """A statement about a whole claim: once on each server that has a part of it."""
        def work(session: Session, own: Sequence[Key]) -> list[None]:
            session.run(sql, (claim,))
            return [None] * len(own)

        await self._shards.write_each(keys, lambda key: key.shard, work)
