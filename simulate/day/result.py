"""What a day comes to: frozen, small enough to keep (some tens of MB), and all that the layers above know of it."""

from __future__ import annotations

import msgspec

from ..kinds import Counts, Kind
from .draws import Sums
from .lists import ListCost
from .pages import PageModel
from .rule import DayRule


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The day in numbers: reads and how they were served, tweets and what became of their deliveries."""

    reads: int
    tweets: int
    rebuilt: int
    refused: int  # by the day's own account; what queues shed is theirs to say
    readers: int
    writers: int
    residents: int
    attempted: int
    stored: int
    filtered: int
    skipped: int
    pulled: int
    pulled_tweets: int
    large_tweets: int
    list_reads: int  # before any cache

    @property
    def cached(self) -> int:
        """Reads that found their row."""
        return self.reads - self.rebuilt - self.refused


class Widths(msgspec.Struct, frozen=True, kw_only=True):
    """How many lists a read merges."""

    mean: float
    mean_by_reads: float
    p50: int
    p99: int
    most: int


class HeavyKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is asked for more than a shard's fair share of keys. `peak_per_s` in the busiest minute."""

    kind: Kind
    key: int
    shard: int
    calls: int
    peak_per_s: float


class Identity(msgspec.Struct, frozen=True):
    """Two sides that must be equal."""

    name: str
    lhs: int
    rhs: int

    @property
    def holds(self) -> bool:
        """Whether they are."""
        return self.lhs == self.rhs


class DayLoad(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` and `elements` are int64 arrays (shards, minutes) by kind; an element of a kind has `element_bytes`."""

    rule: DayRule
    users: int
    seed: int
    calls: dict[Kind, Sums]
    elements: dict[Kind, Sums]
    element_bytes: dict[Kind, int]
    reads: Sums  # (regions, minutes)
    tweets: Sums
    regions: tuple[str, ...]
    totals: Totals
    widths: Widths
    heavy: tuple[HeavyKey, ...]
    lists: list[ListCost]
    pages: PageModel
    identities: list[Identity]

    def counts(self, kind: Kind) -> Counts:
        """The whole day of one kind."""
        elements = int(self.elements[kind].sum())
        return Counts(int(self.calls[kind].sum()), elements, elements * self.element_bytes[kind])

    @property
    def reconciles(self) -> bool:
        """Whether every identity holds."""
        return all(identity.holds for identity in self.identities)
