"""What one celebrity's post brings about beside its own delivery: notifications opened, likes on one counter, retweets.

Curves are inputs: a share of the followers acts, soon at first, then ever fewer (exponentially, 95 % within the given time).
Counts are integers by second, and fall where their keys lie: opens on every shard, likes and their count on one partition.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ...core.errors import Invalid
from ...core.routing import route
from ..kinds import KEPT_OF, Kind
from ..population.chance import mix
from .blocks import Block
from .draws import Sums, scatter_rows
from .load import BATCHES, scaled, touched
from .result import DayLoad
from .routes import even_shares

SOON = 3.0  # time constants until 95 % have acted


class Spike(msgspec.Struct, frozen=True, kw_only=True):
    """A post at second `at_s` of the day. Shares are of followers."""

    tweet: int
    followers: int
    at_s: int
    opens: float = 0.03  # input, 0.01 to 0.08
    opens_within_s: float = 120.0
    likes: float = 0.01
    likes_within_s: float = 3_600.0
    retweets: float = 0.001
    retweets_within_s: float = 3_600.0

    def __post_init__(self) -> None:
        for name in ("opens", "likes", "retweets"):
            if not 0 <= getattr(self, name) <= 1 or getattr(self, f"{name}_within_s") <= 0:
                what = f"{name} is {getattr(self, name)} within {getattr(self, f'{name}_within_s')} s"
                raise Invalid(what, field=name, meaning="a share of the followers, within more than 0 s")

    def acts(self, name: str, start_s: int, stop_s: int) -> Sums:
        """How many open, like or retweet in each of these seconds."""
        total = round(self.followers * getattr(self, name))
        since = np.maximum(0, np.arange(start_s, stop_s + 1) - self.at_s)
        reached = -np.expm1(-since * SOON / getattr(self, f"{name}_within_s"))
        return np.asarray(np.diff(np.rint(total * reached).astype(np.int64)))


def with_spike(block: Block, spike: Spike, load: DayLoad) -> Block:
    """The block with the spike on top. Deliveries of the retweets count the mean followers of the day's tweets."""
    calls = {kind: one.copy() for kind, one in block.calls.items()}
    elements = {kind: one.copy() for kind, one in block.elements.items()}
    opens = spike.acts("opens", block.start_s, block.stop_s)
    likes = spike.acts("likes", block.start_s, block.stop_s)
    retweets = spike.acts("retweets", block.start_s, block.stop_s)
    epoch = load.rule.epoch

    def deal(kind: Kind, some: Sums, of_them: Sums) -> None:
        for at, (counts, into) in enumerate(((some, calls), (of_them, elements))):
            shares = even_shares(KEPT_OF[kind].tier, epoch)
            out = np.zeros(len(shares) * len(counts), np.int64)
            key = np.uint64(int(mix(load.seed ^ spike.tweet & 0xFFFFFFFF, 64 * block.start_s + 2 * int(kind) + at)))
            scatter_rows(counts, shares, key, out)  # type: ignore[arg-type]
            into[kind] += out.reshape(len(shares), len(counts))

    for kind, mean in load.pages.warm.items():
        if kind is not Kind.CELEB_LIST:
            each = touched(mean, epoch.shards(KEPT_OF[kind].tier)) if kind in BATCHES else mean.calls
            deal(kind, scaled(opens, each), scaled(opens, mean.elements))
    for kind in (Kind.LIKE, Kind.COUNT, Kind.EVENT):
        _, shard = route(KEPT_OF[kind], spike.tweet, epoch)
        calls[kind][shard] += likes
        elements[kind][shard] += likes
    _, shard = route(KEPT_OF[Kind.COUNT], spike.tweet, epoch)
    calls[Kind.COUNT][shard] += retweets
    elements[Kind.COUNT][shard] += retweets
    deal(Kind.PUT_TWEET, retweets, retweets)
    deal(Kind.EVENT, retweets, retweets)
    pushed = scaled(retweets, (load.totals.stored + load.totals.skipped) / max(1, load.totals.tweets))
    deal(Kind.PUSH, pushed, pushed)
    return Block(block.start_s, block.stop_s, calls, elements)


