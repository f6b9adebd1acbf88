"""Rung 3: the graph. Whole at small sizes; at full size its degrees, its top accounts, and a sample both ways.

`python -m twit.simulate.validate.graph --top 1000 --record FILE` is the long run; without options it takes a minute or two.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from ..population.graph import Graph, build_graph, village
from ..population.measured import intended_in, intended_out, ks, measure
from ..population.shape import GraphParams
from .graph_exhaustive import exhaustive, round_trips
from .graph_top import Enumerated, enumerated, spread_holds

KS_MOST = 0.005
SMALL = (10_000, 12_000, 14_000, 16_000, 20_000, 24_000, 30_000, 40_000, 50_000, 60_000)
SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison and the bound it must keep."""

    name: str
    measured: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the figure lies within its bounds."""
        return self.low <= self.measured <= self.high


def small_rows(sizes: tuple[int, ...] = SMALL, seeds: tuple[int, ...] = SEEDS) -> Iterator[Row]:
    """Every small graph enumerated whole: contradictions, which must be none."""
    for users in sizes:
        for seed in seeds:
            found = exhaustive(village(users, seed))
            yield Row(name=f"{users:,} users, seed {seed}: contradictions in {found.edges:,} edges", measured=found.errors, low=0, high=0)


def full_rows(graph: Graph, sample: int = 100_000, seed: int = 1) -> Iterator[Row]:
    """A large graph: degrees against their input, reciprocity, regions, and a round trip of `sample` users."""
    yield from table_rows(graph)
    stats = measure(graph, sample, seed)
    asked = graph.params
    yield Row(name="KS of out-degrees of a million users", measured=stats.out_degree_ks, low=0, high=KS_MOST)
    yield Row(name="KS of one-way in-degrees of ordinary ones", measured=stats.in_degree_ks, low=0, high=KS_MOST)
    for name, value, wanted in (
        ("reciprocity", stats.reciprocity, asked.reciprocity), ("follows inside a region", stats.in_region, asked.in_region_share),
    ):
        yield Row(name=name, measured=value, low=wanted - 0.01, high=wanted + 0.01)
    ids = np.random.default_rng(seed).integers(0, graph.users, sample)
    ids = ids[graph.in_degree(ids) <= 1_000_000]
    most = int(max(graph.in_degree(ids).max(), graph.shape.max_following))
    counts = round_trips(graph.table, graph.at, ids, most)
    yield Row(name=f"{counts[0]:,} follows of {ids.size:,} users: denied", measured=int(counts[1]), low=0, high=0)
    yield Row(name=f"{counts[3]:,} followers of them: denied", measured=int(counts[4]), low=0, high=0)
    yield Row(name="repeated or own ids in their lists", measured=int(counts[2]), low=0, high=0)


def table_rows(graph: Graph) -> Iterator[Row]:
    """The tabled degrees, free of the noise of a sample, against the intended distributions."""
    at, shape = graph.at, graph.shape
    starts = graph.table[at.in_starts : at.in_starts + shape.bins - shape.celebrity_rows + 1].astype(np.int64)
    yield Row(name="KS of the table of in-degrees", measured=ks(np.diff(starts), intended_in(graph)), low=0, high=KS_MOST)
    ranks = 4 * shape.bins
    total = 2 * graph.table[at.ring.half : at.ring.half + ranks].astype(np.int64)
    for tier in (at.giants, at.mids, at.body, at.mutual):
        total += graph.table[tier.slots + 1 : tier.slots + ranks + 1].astype(np.int64) - graph.table[tier.slots : tier.slots + ranks]
    yield Row(name="KS of the table of out-degrees", measured=ks(total, intended_out(graph)), low=0, high=KS_MOST)


def top_rows(accounts: list[Enumerated]) -> Iterator[Row]:
    """The enumerated accounts together."""
    inexact = sum(not account.exact for account in accounts)
    followers = sum(account.found for account in accounts)
    yield Row(name=f"top {len(accounts):,}, {followers:,} followers: accounts not exact and distinct", measured=inexact, low=0, high=0)
    tests = sum(len(account.p_values) for account in accounts)
    yield Row(name=f"smallest p of {tests:,} spreads over shards (Bonferroni 1 %)", measured=spread_holds(accounts)[1], low=0.01 / tests, high=1)


def main(arguments: list[str] | None = None) -> int:
    """Print the rung; 4 when a row does not hold."""
    parser = argparse.ArgumentParser(prog="python -m twit.simulate.validate.graph", description=__doc__)
    parser.add_argument("--users", type=int, default=GraphParams().users)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sample", type=int, default=100_000, help="users that make the round trip")
    parser.add_argument("--top", type=int, default=20, help="accounts enumerated whole")
    parser.add_argument("--no-small", action="store_true", help="leave the small graphs out")
    parser.add_argument("--record", type=Path, help="write everything there as JSON")
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    graph = build_graph(GraphParams(users=asked.users), asked.seed)
    say(f"{graph.shape.stated()}; {graph.table.nbytes / 1e6:.2f} MB of tables; seed {graph.seed}")
    rows = [] if asked.no_small else [shown(row) for row in small_rows()]
    rows += [shown(row) for row in full_rows(graph, asked.sample)]
    accounts = []
    for account in enumerated(graph, asked.top):
        accounts.append(account)
        if account.rank < 20 or (account.rank + 1) % 100 == 0:
            say(f"  rank {account.rank + 1:>5}: {account.found:>11,} followers, {'exact' if account.exact else 'NOT EXACT'}, "
                f"p {' '.join(f'{p:.3f}' for p in account.p_values)}")
    rows += [shown(row) for row in top_rows(accounts)]
    took = time.perf_counter() - began
    say(f"{sum(row.holds for row in rows)} of {len(rows)} hold, {took:.0f} s")
    if asked.record is not None:
        record = {
            "users": graph.users, "seed": graph.seed, "seconds": round(took, 1), "rows": [asdict(row) for row in rows],
            "accounts": [asdict(account) for account in accounts],
        }
        asked.record.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    return 0 if all(row.holds for row in rows) else 4


def shown(row: Row) -> Row:
    """The row, said."""
    say(f"{'ok  ' if row.holds else 'MISS'} {row.name}: {row.measured:.5g} (allowed {row.low:.4g} to {row.high:.4g})")
    return row


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
