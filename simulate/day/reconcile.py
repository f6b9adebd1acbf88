"""The identities of a day, printed with it: two ways to the same whole number, or something was lost on the way."""

from __future__ import annotations

from collections.abc import Mapping

from ..kinds import Counts, Kind
from . import kernels
from .draws import Sums
from .parts import RawDay
from .result import Identity, Totals


def identities(
    raw: RawDay, totals: Totals, calls: Mapping[Kind, Sums], elements: Mapping[Kind, Sums], dealt: Mapping[Kind, Counts]
) -> list[Identity]:
    """All that must hold."""
    pushes = raw.sums[kernels.SIZES_AT : kernels.SIZES_AT + kernels.SIZES]
    redis = int(raw.shards(0, raw.plan.redis).sum())
    events = int(raw.shards(raw.plan.redis, raw.plan.kafka).sum())
    readers_of_pushes = sum(size * int(count) for size, count in enumerate(pushes.tolist()))
    delivered = totals.stored + totals.filtered + totals.skipped + totals.pulled
    found = [
        Identity("attempted = stored + filtered + skipped + pulled", totals.attempted, delivered),
        Identity("attempted = followers x tweets, by author", totals.attempted, raw.scalar(kernels.FOLLOWERS_TWEETS)),
        Identity("reads = cached + rebuilt + refused", totals.reads, totals.cached + totals.rebuilt + totals.refused),
        Identity("reads by region = reads by row's shard", totals.reads, redis),
        Identity("tweets by region = events by partition", totals.tweets, events),
        Identity("lists merged by minute = width x reads, by reader", totals.list_reads, raw.scalar(kernels.WIDTH_READS)),
        Identity(
            "readers of pushes = attempted - pulled + own rows", readers_of_pushes,
            totals.attempted - totals.pulled + 2 * totals.tweets,
        ),
    ]  # fmt: skip
    if raw.plan.exact and raw.plan.rule == kernels.HYBRID:
        found.append(Identity("lists merged = reads of each celebrity's list", totals.list_reads, int(raw.list_reads.sum())))
    for kind in sorted(dealt):
        found.append(Identity(f"{kind.name}: calls of all shards = total", int(calls[kind].sum()), dealt[kind].calls))
        found.append(Identity(f"{kind.name}: elements of all shards = total", int(elements[kind].sum()), dealt[kind].elements))
    return found
