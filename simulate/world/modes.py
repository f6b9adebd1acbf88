"""How the world's authors travel: whoever has more computed followers than the threshold is pulled from the beginning, and what
fan-out decided here wins. The half million who are pulled are never put into a table: one asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...core.entries import AuthorMode, FanoutMode
from ...core.events import Event
from ...core.ports import FanoutModes
from ...core.recent import Recent
from ...core.stores.embedded.overlay import SqliteOverlay
from .base import Base

PULLED = AuthorMode(FanoutMode.PULL)
KNOWN_MAX = 1_000_000  # authors whose computed mode a process remembers


class WorldModes:
    """`core.ports.FanoutModes`; `threshold` is the limit `celebrity_followers_min`."""

    def __init__(self, base: Base, added: FanoutModes, overlay: SqliteOverlay, threshold: int) -> None:
        self._added = added
        self._overlay = overlay
        self._computed = ComputedModes(base, threshold)

    def learn(self, authors: Sequence[int]) -> None:
        """They will be asked for, one by one."""
        self._computed.learn(authors)

    async def get(self, authors: Sequence[int]) -> list[AuthorMode]:
        modes = await self.pulled()
        decided = await self._added.get(authors)
        return [modes.get(author, one) for author, one in zip(authors, decided, strict=True)]

    async def put(self, author: int, mode: AuthorMode, events: Sequence[Event]) -> None:
        await self._added.put(author, mode, events)

    async def pulled(self) -> Mapping[int, AuthorMode]:
        return Pulled(self._computed, await self._added.pulled(), frozenset(self._overlay.pushed_again()))


class ComputedModes:
    """Who is above the threshold by computation."""

    def __init__(self, base: Base, threshold: int) -> None:
        self._base = base
        self._threshold = threshold
        self._known: Recent[int, bool] = Recent(KNOWN_MAX)

    def learn(self, authors: Sequence[int]) -> None:
        """Look many up at once."""
        unknown = [author for author in authors if 0 < author <= self._base.users and self._known.get(author) is None]
        if unknown:
            for author, places in zip(unknown, self._base.places(unknown).tolist(), strict=True):
                self._known[author] = places > self._threshold

    def is_pulled(self, author: int) -> bool:
        if not 0 < author <= self._base.users:
            return False
        known = self._known.get(author)
        if known is None:
            known = self._known[author] = int(self._base.places((author,))[0]) > self._threshold
        return known

    def everybody(self) -> Iterator[int]:
        return self._base.celebrities(self._threshold)


class Pulled(Mapping[int, AuthorMode]):
    """Author → mode as of one moment. Looking one up is O(1); walking over it walks over every celebrity."""

    def __init__(self, computed: ComputedModes, decided: Mapping[int, AuthorMode], pushed: frozenset[int]) -> None:
        self._computed = computed
        self._decided = decided
        self._pushed = pushed

    def __getitem__(self, author: int) -> AuthorMode:
        decided = self._decided.get(author)
        if decided is not None:
            return decided
        if author not in self._pushed and self._computed.is_pulled(author):
            return PULLED
        raise KeyError(author)

    def __iter__(self) -> Iterator[int]:
        yield from self._decided
        yield from (author for author in self._computed.everybody() if author not in self._decided and author not in self._pushed)

    def __bool__(self) -> bool:
        return next(iter(self), 0) > 0

    def __contains__(self, author: object) -> bool:
        if not isinstance(author, int):
            return False
        return author in self._decided or (author not in self._pushed and self._computed.is_pulled(author))

    def __len__(self) -> int:
        return sum(1 for _ in self)
