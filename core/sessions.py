"""Who holds which bearer token, kept in the process and dropped as revocations pass in the event log.

Tokens are 256 random bits; only their SHA-256 is stored, so that a copy of the store logs nobody in.
"""

from __future__ import annotations

import base64
import hashlib

from .clock import Clock
from .entropy import Entropy
from .events import Event, EventKind, LoggedEvent
from .limits import Limits
from .model import AccountStatus, Session
from .ports import Stores

TOKEN_BYTES = 32
_ENDING = frozenset((EventKind.SESSIONS_REVOKED, EventKind.DEACTIVATED, EventKind.ACCOUNT_DELETED))


class Sessions:
    """Log-ins of one store. Hand `followed` and `forget` to the caches' event subscription."""

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, entropy: Entropy) -> None:
        self._stores = stores
        self._limits = limits
        self._clock = clock
        self._entropy = entropy
        self._holders: dict[bytes, int] = {}
        self._held: dict[int, set[bytes]] = {}
        self._endings = 0

    async def open(self, user_id: int) -> str:
        """Log a user in; returns the bearer token, which nothing can show again."""
        token = base64.urlsafe_b64encode(self._entropy.token_bytes(TOKEN_BYTES)).decode("ascii").rstrip("=")
        await self._stores.tokens.put(Session(_hash(token), user_id, self._clock.now_ms()))
        return token

    def known(self, token: str) -> int:
        """Whose token it is, of those that are remembered; 0: ask `holder`."""
        return self._holders.get(_hash(token), 0)

    async def holder(self, token: str) -> int:
        """Whose token it is; 0 for nobody's."""
        token_hash = _hash(token)
        known = self._holders.get(token_hash)
        if known is not None:
            return known
        endings = self._endings
        session = await self._stores.tokens.get(token_hash)
        if session is None:
            return 0
        (user,) = await self._stores.accounts.get((session.user_id,))
        if user is None or user.status is not AccountStatus.ACTIVE:
            return 0
        if endings == self._endings:  # else what was read may have been revoked meanwhile
            self._keep(token_hash, session.user_id)
        return session.user_id

    async def close(self, token: str) -> bool:
        """Revoke this one; false where none stood."""
        token_hash = _hash(token)
        session = await self._stores.tokens.get(token_hash)
        return session is not None and await self._stores.tokens.revoke(token_hash, (self._revoked(session.user_id),))

    async def close_all(self, user_id: int) -> int:
        """Revoke all of a user's; returns how many."""
        return await self._stores.tokens.revoke_all(user_id, (self._revoked(user_id),))

    def followed(self, logged: LoggedEvent) -> None:
        """Forget whom an event of the log logs out."""
        if logged.event.kind in _ENDING:
            self._endings += 1
            for token_hash in self._held.pop(logged.event.key, ()):
                self._holders.pop(token_hash, None)

    def forget(self) -> None:
        """Forget all: events may have been missed."""
        self._endings += 1
        self._holders.clear()
        self._held.clear()

    def _keep(self, token_hash: bytes, user_id: int) -> None:
        if len(self._holders) >= self._limits.cached_users_max:
            oldest = next(iter(self._holders))
            self._held[self._holders.pop(oldest)].discard(oldest)
        self._holders[token_hash] = user_id
        self._held.setdefault(user_id, set()).add(token_hash)

    def _revoked(self, user_id: int) -> Event:
        return Event(kind=EventKind.SESSIONS_REVOKED, key=user_id, actor=user_id, at_ms=self._clock.now_ms())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
