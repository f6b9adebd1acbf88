"""Accounts: sign up, log in and out, profile, deactivation and return. Knows no follows and no tweets.

Never tells whether a name exists to somebody who cannot log in, and never keeps a password or a token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from . import departures, follow_requests, profiles
from .caches import Caches
from .clock import Clock
from .entropy import Entropy
from .errors import Forbidden, NotFound, StoreError, Unauthorized
from .events import Event, EventKind
from .limits import Limits
from .model import AccountStatus, Credentials, NewAccount, User
from .offload import Offload
from .passwords import Passwords
from .patience import soon
from .ports import Stores
from .sessions import Sessions

log = logging.getLogger(__name__)


class AccountCommands:
    """People, their log-ins and profiles. Built once a process: it keeps authenticated tokens and when users were seen."""

    def __init__(  # noqa: PLR0917 - everything an account needs, in the order in which wiring makes it
        self, stores: Stores, caches: Caches, limits: Limits, clock: Clock, entropy: Entropy, offload: Offload
    ) -> None:
        self._stores = stores
        self._caches = caches
        self._limits = limits
        self._clock = clock
        self._passwords = Passwords(entropy, offload)
        self._sessions = Sessions(stores, limits, clock, entropy)
        self._seen_ms: dict[int, int] = {}
        self._changing = asyncio.Lock()  # a profile is read, changed and written whole
        caches.subscribe(self._sessions.followed, self._sessions.forget)

    # coming in
    async def sign_up(self, username: str, email: str, password: str, display_name: str = "") -> tuple[User, str]:
        """Make an account and log it in; returns it with its bearer token. `Conflict` where name or e-mail is taken."""
        name = profiles.checked_username(username, self._limits)
        account = NewAccount(
            username=name,
            email=profiles.checked_email(email, self._limits),
            password_hash=await self._passwords.hash(profiles.checked_password(password, self._limits)),
            display_name=profiles.checked_display_name(display_name, name, self._limits),
            created_ms=self._clock.now_ms(),
        )
        (user,) = await self.add((account,))
        return user, await self._sessions.open(user.user_id)

    async def add(self, accounts: Sequence[NewAccount]) -> list[User]:
        """Store accounts as they are, unchecked and logged in nowhere: for imports and demos. Each gets an empty timeline."""
        users = await self._stores.accounts.create(accounts)
        readers = np.array([user.user_id for user in users], dtype=np.int64)
        try:
            opened = self._stores.timelines.open_empty(readers, self._clock.now_ms())
            await (soon(self._limits, opened) if len(users) == 1 else opened)
        except StoreError as error:
            log.warning("no timeline yet for %d new accounts, reading will build it: %s", len(users), error)
        await self._caches.sync()
        return users

    async def hash_password(self, password: str) -> str:
        """What `NewAccount.password_hash` takes, for accounts that are added in bulk."""
        return await self._passwords.hash(profiles.checked_password(password, self._limits))

    async def log_in(self, username: str, password: str) -> tuple[User, str]:
        """Return the account and a new token. `Unauthorized`, in the same words and time, for a wrong name or password."""
        await self._caches.sync()
        (user_id,) = await self._stores.accounts.ids_of((username.removeprefix("@"),))
        secrets = await self._stores.accounts.credentials(user_id) if user_id else None
        known = secrets.password_hash if secrets and self._may_enter(secrets) else ""
        if len(password) > self._limits.password_chars_max or not await self._passwords.verify(known, password):
            raise Unauthorized("name or password is wrong")
        if self._passwords.outdated(known):
            await self._change(user_id, lambda user: user, password_hash=await self._passwords.hash(password))
        user = await self._change(user_id, _returned, kind=EventKind.REACTIVATED)
        return user, await self._sessions.open(user_id)

    async def log_out(self, token: str) -> None:
        """Revoke this token; one that is none is left alone."""
        await self._sessions.close(token)
        await self._caches.sync()

    async def authenticate(self, token: str) -> int:
        """Return whose token this is, and note that he was seen."""
        await self._caches.sync()
        user_id = await self._sessions.holder(token)
        if not user_id:
            raise Unauthorized("this token does not hold", meaning="it was revoked or never given", try_="log in again")
        await self.seen(user_id)
        return user_id

    def known(self, token: str) -> int:
        """Whose token this is, where that is remembered and he was noted as seen; 0: ask `authenticate`. In step with the log only."""
        user_id = self._sessions.known(token)
        return user_id if user_id and self._was_seen(user_id, self._clock.now_ms()) else 0

    def _was_seen(self, user_id: int, now_ms: int) -> bool:
        every_ms = self._limits.seen_write_ms
        return now_ms - self._seen_ms.get(user_id, -every_ms) < every_ms

    async def seen(self, user_id: int) -> None:
        """Keep the user's timeline alive, at most once per `seen_write_ms`. A lapsed one is rebuilt by reading it."""
        now_ms = self._clock.now_ms()
        if self._was_seen(user_id, now_ms):
            return
        if len(self._seen_ms) >= self._limits.cached_users_max:
            self._seen_ms.clear()  # costs each of them one more write
        self._seen_ms[user_id] = now_ms
        try:
            await soon(self._limits, self._stores.timelines.touch(np.array([user_id], dtype=np.int64), now_ms))
        except StoreError as error:
            log.warning("user %d was seen, but his timeline does not know: %s", user_id, error)

    # being here
    async def user(self, viewer: int, user_id: int) -> User:
        """An account that is active and does not block the viewer; else `NotFound`."""
        await self._caches.sync()
        (user,) = await self._caches.users((user_id,))
        if user is None or user.status is not AccountStatus.ACTIVE or await self._blocks(user_id, viewer):
            raise NotFound("no such account")
        return user

    async def user_by_name(self, viewer: int, username: str) -> User:
        """The same by name, without case."""
        (user_id,) = await self._stores.accounts.ids_of((username.removeprefix("@"),))
        return await self.user(viewer, user_id)

    async def update_profile(self, actor: int, changes: Mapping[str, object]) -> User:
        """Change profile fields, e-mail or `is_private`. Turning public accepts every open request to follow."""
        await self._active(actor)
        if changes.get("is_private") is False:
            await follow_requests.accept_all(self._stores, self._limits, actor, self._clock.now_ms())
        user = await self._change(actor, lambda user: profiles.changed(user, changes, self._limits))
        if not user.is_private and "is_private" in changes:  # those who asked between the two
            await follow_requests.accept_all(self._stores, self._limits, actor, self._clock.now_ms())
            await self._caches.sync()
        return user

    async def set_password(self, actor: int, old: str | None, new: str) -> None:
        """Change the password and end all log-ins. `Forbidden` for a wrong `old`; `None` is the operator's."""
        await self._active(actor)
        new_hash = await self._passwords.hash(profiles.checked_password(new, self._limits))
        if old is not None:
            secrets = await self._stores.accounts.credentials(actor)
            if not await self._passwords.verify(secrets.password_hash if secrets else "", old):
                raise Forbidden("the old password is wrong")
        await self._change(actor, lambda user: user, password_hash=new_hash)
        await self._sessions.close_all(actor)
        await self._caches.sync()

    # going
    async def deactivate(self, actor: int) -> None:
        """Hide the account at once and whole, and end all its log-ins. Repeating changes nothing."""
        now_ms = self._clock.now_ms()
        await self._change(actor, lambda user: _gone(user, now_ms), kind=EventKind.DEACTIVATED)
        await self._sessions.close_all(actor)
        await self._caches.sync()

    async def delete_expired(self) -> int:
        """Delete for ever who stayed deactivated longer than the grace; returns how many. Safe to repeat and to interrupt."""
        deleted = await departures.delete_expired(self._stores, self._limits, self._clock)
        await self._caches.sync()
        return deleted

    def _may_enter(self, secrets: Credentials) -> bool:
        if secrets.status is AccountStatus.DEACTIVATED:
            return self._clock.now_ms() - secrets.deactivated_ms <= self._limits.deactivation_grace_ms
        return secrets.status is AccountStatus.ACTIVE

    async def _blocks(self, user_id: int, viewer: int) -> bool:
        if user_id not in (await self._caches.viewer(viewer)).hidden:
            return False
        (blocks,) = await self._stores.relations.blocks((viewer,))
        return user_id in blocks.blocked_by

    async def _active(self, actor: int) -> User:
        await self._caches.sync()
        (user,) = await self._caches.users((actor,))
        return acting(user)

    async def _change(
        self, user_id: int, change: Callable[[User], User], *, kind: EventKind | None = None, password_hash: str | None = None
    ) -> User:
        """Read the account, change it and write it whole with the events that tell of it; nothing where nothing changed."""
        async with self._changing:
            (before,) = await self._stores.accounts.get((user_id,))
            if before is None:
                raise NotFound("no such account")
            after = change(before)
            kinds = [kind] if kind and after != before else _told_by(before, after)
            if kinds or password_hash is not None:
                events = [self._event(one, after) for one in kinds]
                await self._stores.accounts.update(after, events, password_hash=password_hash)
        await self._caches.sync()
        return after

    def _event(self, kind: EventKind, user: User) -> Event:
        ref = int(user.is_private) if kind is EventKind.PRIVACY_CHANGED else 0
        return Event(kind=kind, key=user.user_id, actor=user.user_id, ref=ref, at_ms=self._clock.now_ms())


def acting(user: User | None) -> User:
    """Return who acts. `NotFound` where there is no such account, `Forbidden` where it is deactivated or deleted."""
    if user is None:
        raise NotFound("no such account")
    if user.status is not AccountStatus.ACTIVE:
        what = f"@{user.username} is {user.status.value}"
        raise Forbidden(what, try_="log in within 30 days of deactivating to bring the account back")
    return user


def _told_by(before: User, after: User) -> list[EventKind]:
    kinds = []
    if before.is_private != after.is_private:
        kinds.append(EventKind.PRIVACY_CHANGED)
    if before != msgspec.structs.replace(after, is_private=before.is_private):
        kinds.append(EventKind.PROFILE_CHANGED)
    return kinds


def _returned(user: User) -> User:
    return msgspec.structs.replace(user, status=AccountStatus.ACTIVE, deactivated_ms=0)


def _gone(user: User, now_ms: int) -> User:
    if user.status is not AccountStatus.ACTIVE:
        return user
    return msgspec.structs.replace(user, status=AccountStatus.DEACTIVATED, deactivated_ms=now_ms)
