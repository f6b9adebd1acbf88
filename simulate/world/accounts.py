"""Accounts of the world: computed people, those whose profile was changed here, and those who signed up here.

People of the population have no password, so nobody logs in as one until an operator gives him one. Counts are the computed
ones and what was added to them or taken off here.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import Conflict
from ...core.events import Event
from ...core.model import Credentials, NewAccount, User, UserCounts
from ...core.ports import Accounts
from ...core.stores.embedded.overlay import SqliteOverlay
from .base import Base
from .turns import Turns


class WorldAccounts:
    """`core.ports.Accounts`. Ids above the population's are of accounts made here."""

    def __init__(self, base: Base, added: Accounts, overlay: SqliteOverlay, turns: Turns) -> None:
        self._base = base
        self._added = added
        self._overlay = overlay
        self._turns = turns

    async def create(self, accounts: Sequence[NewAccount]) -> list[User]:
        if any(self._base.ids_of([account.username for account in accounts])):
            raise Conflict("that username is taken", code="USERNAME_TAKEN", try_="choose another")
        return await self._added.create(accounts)

    async def get(self, user_ids: Sequence[int]) -> list[User | None]:
        found = await self._added.get(user_ids)
        missing = [at for at, user in enumerate(found) if user is None and 0 < user_ids[at] <= self._base.users]
        if missing:
            computed = self._base.profiles([user_ids[at] for at in missing])
            for at, user in zip(missing, computed, strict=True):
                found[at] = user
        return found

    async def ids_of(self, usernames: Sequence[str]) -> list[int]:
        computed = self._base.ids_of(usernames)
        if all(computed):
            return computed
        return [one or other for one, other in zip(computed, await self._added.ids_of(usernames), strict=True)]

    async def credentials(self, user_id: int) -> Credentials | None:
        found = await self._added.credentials(user_id)
        if found is not None or not 0 < user_id <= self._base.users:
            return found
        (user,) = self._base.profiles((user_id,))
        return Credentials(user_id, "", user.status, user.deactivated_ms)

    async def update(self, user: User, events: Sequence[Event], *, password_hash: str | None = None) -> None:
        if not 0 < user.user_id <= self._base.users:
            await self._added.update(user, events, password_hash=password_hash)
            return
        (before,) = self._base.profiles((user.user_id,))
        await self._overlay.update(before, user, events, password_hash)

    async def counts(self, user_ids: Sequence[int]) -> list[UserCounts]:
        found = await self._added.counts(user_ids)
        places = [at for at, user_id in enumerate(user_ids) if 0 < user_id <= self._base.users]
        if places:
            computed = self._base.counts([user_ids[at] for at in places], self._turns.now_ms())
            for at, more in zip(places, computed, strict=True):
                here = found[at]
                found[at] = UserCounts(
                    here.followers + more.followers, here.following + more.following, here.tweets + more.tweets
                )
        return found

    async def page(self, after: int, limit: int) -> list[User]:
        ids = range(max(after, 0) + 1, min(after + limit, self._base.users) + 1)
        page = [user for user in await self.get(ids) if user is not None] if ids else []
        if len(page) < limit:
            page += await self._added.page(max(after, self._base.users), limit - len(page))
        return page

    async def deactivated(self, before_ms: int, limit: int) -> list[User]:
        return await self._added.deactivated(before_ms, limit)

    async def count(self) -> int:
        return max(self._base.users, await self._added.count())
