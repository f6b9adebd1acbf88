"""A small graph enumerated whole: both directions, membership, every slot, degrees, compared with one another.

The two sides share only the tables: `following` walks a user's slots forward, `followers` walks intervals backward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..compiled import njit
from ..population import kernels
from ..population.graph import Graph
from ..population.hashing import Ids, Table
from ..population.tables import Layout

AHEAD, BACK = 0, 1  # the side that tells the edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """How often a graph contradicts itself; all zero in a right one."""

    edges: int  # seen from the followers' side
    one_sided: int  # edges that only one side tells
    repeated: int
    to_oneself: int
    degrees: int  # lists longer than their slots, or a celebrity's not exactly as long
    members: int  # edges denied, or pairs affirmed that are none
    slots: int  # lists that are not their slots without the void ones
    pull_widths: int
    ranks: int  # celebrities not in the order of their followers

    @property
    def errors(self) -> int:
        """All contradictions together."""
        return (
            self.one_sided + self.repeated + self.to_oneself + self.degrees + self.members + self.slots + self.pull_widths + self.ranks
        )


def exhaustive(graph: Graph, pairs: int = 200_000, seed: int = 1) -> Disagreement:
    """Enumerate everything and compare. For up to some hundred thousand users."""
    everybody = np.arange(graph.users)
    out, into = graph.out_degree(everybody), graph.in_degree(everybody)
    ahead, ahead_counts = edges(graph.table, graph.at, out, AHEAD)
    back, back_counts = edges(graph.table, graph.at, into, BACK)
    ahead.sort()
    back.sort()
    same = ahead.size == back.size and bool((ahead == back).all())
    one_sided = 0 if same else int(np.setxor1d(ahead, back).size)
    celebrity = graph.is_celebrity(everybody)
    users, followees = np.divmod(ahead, graph.users)
    degrees = int((ahead_counts > out).sum() + (back_counts > into).sum() + (back_counts != into)[celebrity].sum())
    degrees += int((into[celebrity] <= graph.shape.threshold).sum() + (into[~celebrity] > graph.shape.threshold).sum())
    widths = np.bincount(users[celebrity[followees]], minlength=graph.users)
    ranked = np.array([graph.celebrity_by_rank(rank) for rank in range(graph.shape.celebrities)])
    return Disagreement(
        edges=int(back.size), one_sided=one_sided, repeated=int((np.diff(ahead) == 0).sum() + (np.diff(back) == 0).sum()),
        to_oneself=int((users == followees).sum()), degrees=degrees, members=wrong_members(graph, ahead, users, followees, pairs=pairs, seed=seed),
        slots=wrong_slots(graph.table, graph.at, out, into),
        pull_widths=int((widths != graph.pull_width(everybody)).sum()),
        ranks=int((np.diff(into[ranked]) > 0).sum()) + graph.shape.celebrities - int(np.unique(ranked).size),
    )


def wrong_members(graph: Graph, sorted_edges: Ids, users: Ids, followees: Ids, *, pairs: int, seed: int) -> int:
    """Edges that membership denies, and random pairs where it errs."""
    denied = int((~graph.is_following(users, followees)).sum())
    chance = np.random.default_rng(seed)
    one, other = chance.integers(0, graph.users, (2, pairs))
    key = one * graph.users + other
    place = np.minimum(np.searchsorted(sorted_edges, key), sorted_edges.size - 1)
    return denied + int((graph.is_following(one, other) != (sorted_edges[place] == key)).sum())


@njit
def edges(table: Table, at: Layout, slots: Ids, side: int) -> tuple[Ids, Ids]:
    """All edges as user * users + followee, told by one side, and the length of each list."""
    whole = np.empty(slots.sum(), np.int64)
    counts = np.empty(slots.size, np.int64)
    out = np.empty(slots.max(), np.int64)
    n = 0
    for user in range(slots.size):
        count = 0
        if side == AHEAD:
            count = kernels.following_into(table, at, user, out)
        if side == BACK:
            count = kernels.followers_into(table, at, user, 0, out)
        counts[user] = count
        for k in range(count):
            whole[n] = user * at.users + out[k] if side == AHEAD else out[k] * at.users + user
            n += 1
    return whole[:n], counts


@njit
def wrong_slots(table: Table, at: Layout, out_slots: Ids, in_slots: Ids) -> int:
    """Lists, of both kinds, that differ from their slots asked for one by one."""
    wrong = 0
    ids = np.empty(max(out_slots.max(), in_slots.max()), np.int64)
    for user in range(out_slots.size):
        count = kernels.following_into(table, at, user, ids)
        n = 0
        for k in range(out_slots[user]):
            followee = kernels.followee_at(table, at, user, k)
            if followee >= 0:
                wrong += 1 if n >= count or ids[n] != followee else 0
                n += 1
        wrong += 1 if n != count else 0
        count = kernels.followers_into(table, at, user, 0, ids)
        n = 0
        for k in range(in_slots[user]):
            follower = kernels.follower_at(table, at, user, k)
            if follower >= 0:
                wrong += 1 if n >= count or ids[n] != follower else 0
                n += 1
        wrong += 1 if n != count else 0
    return wrong


@njit
def round_trips(table: Table, at: Layout, users: Ids, most: int) -> NDArray[np.int64]:
    """(edges, denied edges, repeated or own ids, followers' edges, denied) for some users: each edge of the lists asked for."""
    counts = np.zeros(5, np.int64)
    out = np.empty(most, np.int64)
    for user in users:
        count = kernels.following_into(table, at, user, out)
        counts[0] += count
        for k in range(count):
            counts[1] += 0 if kernels.follows(table, at, user, out[k]) else 1
        counts[2] += repeats_in(out[:count], user)
        count = kernels.followers_into(table, at, user, 0, out)
        counts[3] += count
        for k in range(count):
            counts[4] += 0 if kernels.follows(table, at, out[k], user) else 1
        counts[2] += repeats_in(out[:count], user)
    return counts


@njit
def repeats_in(ids: Ids, user: int) -> int:
    """Ids that stand twice in a list, or are the user's own."""
    ordered = np.sort(ids)
    wrong = 0
    for k in range(ordered.size):
        wrong += 1 if ordered[k] == user or (k and ordered[k] == ordered[k - 1]) else 0
    return wrong
