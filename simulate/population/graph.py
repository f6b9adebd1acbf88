"""The follow graph of a population: who follows whom, computed from a seed in both directions, nothing stored per user.

`Graph` answers in ids 0..users-1; compiled code takes `graph.table` and `graph.at` and calls `kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.errors import Invalid
from ..compiled import njit
from . import kernels
from .assemble import assemble
from .hashing import Ids, Table
from .shape import GraphParams, Shape, plan
from .tables import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence




@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of `users` accounts. Same parameters and seed, same graph; it can be pickled and shared between threads."""

    users: int
    seed: int
    shape: Shape
    params: GraphParams
    table: Table
    at: Layout

    def __setstate__(self, state: dict[str, object]) -> None:
        """What was pickled is as frozen as what was built: compiled code knows only that kind of table."""
        self.__dict__.update(state)
        self.table.flags.writeable = False

    def following(self, i: int) -> Ids:
        """Whom user i follows: distinct, without i, in the order of the slots."""
        out = np.empty(self._slots(kernels.out_degree_of, i), np.int64)
        return out[: kernels.following_into(self.table, self.at, i, out)]

    def followers(self, i: int, start: int = 0, limit: int | None = None) -> Ids:
        """Who follows user i: `limit` of them from the start-th on. Pages, put together, are the whole list."""
        slots = self._slots(kernels.in_degree_of, i)
        if start < 0 or (limit is not None and limit < 0):
            raise Invalid(f"followers {start} to {limit}", field="start", meaning="allowed: 0 and up")
        room = max(0, slots - start)
        out = np.empty(room if limit is None else min(limit, room), np.int64)
        return out[: kernels.followers_into(self.table, self.at, i, start, out)]

    def is_following(self, followers: Ids | Sequence[int], followees: Ids | Sequence[int]) -> NDArray[np.bool_]:
        """Pair by pair."""
        one, other = np.broadcast_arrays(self._ids(followers), self._ids(followees))
        return follows_each(self.table, self.at, np.ascontiguousarray(one), np.ascontiguousarray(other))

    def out_degree(self, ids: Ids | Sequence[int]) -> Ids:
        """Slots of the lists of followees; a few in ten thousand are void (`measured.void_slots`)."""
        return out_degrees_each(self.table, self.at, self._ids(ids))

    def in_degree(self, ids: Ids | Sequence[int]) -> Ids:
        """Slots of the lists of followers: exact for celebrities; of others a few in ten thousand are void."""
        return in_degrees_each(self.table, self.at, self._ids(ids))

    def ith_followee(self, i: int, k: int) -> int:
        """`following(i)[k]`."""
        return self._nth(self.following(i), k)

    def ith_follower(self, i: int, k: int) -> int:
        """`followers(i)[k]`: at once for a celebrity, by his list for anybody else."""
        if not self.is_celebrity([i])[0]:
            return self._nth(self.followers(i), k)
        if not 0 <= k < int(self.in_degree([i])[0]):
            raise Invalid(f"user {i} has no follower {k}", field="k")
        return kernels.follower_at(self.table, self.at, i, k)

    def random_follower(self, i: int, u01: float) -> int:
        """The follower at the part u01 of the slots, or the next one where that slot is void; -1 if there is none."""
        slots = self._slots(kernels.in_degree_of, i)
        first = min(int(u01 * slots), slots - 1)
        for k in range(slots):
            follower = kernels.follower_at(self.table, self.at, i, (first + k) % slots)
            if follower >= 0:
                return follower
        return -1

    def is_celebrity(self, ids: Ids | Sequence[int]) -> NDArray[np.bool_]:
        """Who has more followers than `shape.threshold`."""
        return self.rank_of(ids) < self.shape.celebrity_rows

    def celebrity_by_rank(self, rank0: int) -> int:
        """The account with the rank-th most followers, 0 the most followed; among celebrities."""
        if not 0 <= rank0 < self.shape.celebrities:
            raise Invalid(f"no celebrity of rank {rank0:,}", field="rank", meaning=f"allowed: 0 to {self.shape.celebrities - 1:,}")
        order, ends = self._ranking
        place = int(np.searchsorted(ends, rank0, "right"))
        group, within = int(order[place]), rank0 - (int(ends[place - 1]) if place else 0)
        if group < self.shape.giant_count:
            return id_of_star(self.table, self.at, group // self.shape.provinces, group % self.shape.provinces)
        variant, slot = divmod(group - self.shape.giant_count, self.shape.mid_slots)
        layer = variant + within // self.shape.provinces * self.shape.variants
        star = self.at.heads.giants_a_province + slot * self.shape.mids.layers + layer
        return id_of_star(self.table, self.at, star, within % self.shape.provinces)

    @cached_property
    def _ranking(self) -> tuple[Ids, Ids]:
        """Celebrities of one size together, largest first: a giant by himself, then the mids of a variant and slot; and how
        many accounts there are up to each. In villages the largest mids pass the smallest giants."""
        heads, shape = self.at.heads, self.shape
        giants = self.table[heads.giant_size : heads.giant_size + shape.giant_count].astype(np.int64)
        mids = self.table[heads.sizes : heads.sizes + shape.variants * shape.mid_slots].astype(np.int64)
        layers = np.bincount(np.arange(shape.mids.layers) % shape.variants, minlength=shape.variants)
        counts = np.concatenate((np.ones(giants.size, np.int64), np.repeat(layers * shape.provinces, shape.mid_slots)))
        order = np.argsort(-np.concatenate((giants, mids)), kind="stable")
        return order, counts[order].cumsum()

    def pull_width(self, ids: Ids | Sequence[int]) -> Ids:
        """How many celebrities each follows."""
        return pull_widths_each(self.table, self.at, self._ids(ids))

    def celebrities_of(self, i: int) -> Ids:
        """The celebrities user i follows."""
        out = np.empty(self._slots(kernels.pull_width_of, i), np.int64)
        return out[: kernels.celebrities_of_into(self.table, self.at, i, out)]

    def region_of(self, ids: Ids | Sequence[int]) -> NDArray[np.int8]:
        """The region each lives in."""
        return regions_each(self.table, self.at, self._ids(ids)).astype(np.int8)

    def rank_of(self, ids: Ids | Sequence[int]) -> Ids:
        """The bin of each in the ranking by followers, 0 the most followed of `shape.bins`."""
        return ranks_each(self.table, self.at, self._ids(ids))

    def _ids(self, ids: Ids | Sequence[int]) -> Ids:
        array = np.atleast_1d(np.asarray(ids, np.int64))
        if array.size and (array.min() < 0 or array.max() >= self.users):
            raise Invalid(f"no such user among {self.users:,}", field="user", meaning=f"allowed: 0 to {self.users - 1:,}")
        return array

    def _slots(self, of: Callable[[Table, Layout, int], int], i: int) -> int:
        if not 0 <= i < self.users:
            raise Invalid(f"no user {i:,} among {self.users:,}", field="user", meaning=f"allowed: 0 to {self.users - 1:,}")
        return of(self.table, self.at, i)

    def _nth(self, ids: Ids, k: int) -> int:
        if not 0 <= k < ids.size:
            raise Invalid(f"no neighbour {k} of {ids.size}", field="k", meaning=f"allowed: 0 to {ids.size - 1}")
        return int(ids[k])


@njit
def follows_each(table: Table, at: Layout, users: Ids, followees: Ids) -> NDArray[np.bool_]:
    """`follows` of every pair."""
    answer = np.empty(users.size, np.bool_)
    for i in range(users.size):
        answer[i] = kernels.follows(table, at, users[i], followees[i])
    return answer


@njit
def out_degrees_each(table: Table, at: Layout, ids: Ids) -> Ids:
    """`out_degree_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.out_degree_of(table, at, ids[i])
    return answer


@njit
def in_degrees_each(table: Table, at: Layout, ids: Ids) -> Ids:
    """`in_degree_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.in_degree_of(table, at, ids[i])
    return answer


@njit
def pull_widths_each(table: Table, at: Layout, ids: Ids) -> Ids:
    """`pull_width_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.pull_width_of(table, at, ids[i])
    return answer


@njit
def regions_each(table: Table, at: Layout, ids: Ids) -> Ids:
    """`region_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.region_of(table, at, ids[i])
    return answer


@njit
def ranks_each(table: Table, at: Layout, ids: Ids) -> Ids:
    """`rank_of` of each."""
    answer = np.empty(ids.size, np.int64)
    for i in range(ids.size):
        answer[i] = kernels.rank_of(table, at, ids[i])
    return answer


@njit
def id_of_star(table: Table, at: Layout, star: int, province: int) -> int:
    """The id of a province's celebrity by his number."""
    b = star // at.layers
    return kernels.id_of_in(table, at, province, b, star - b * at.layers)


def build_graph(params: GraphParams, seed: int) -> Graph:
    """The graph of the nearest feasible size; raises `Invalid` for what no population can be."""
    planned = plan(params)
    table, at = assemble(planned, seed)
    return Graph(users=planned.shape.users, seed=seed, shape=planned.shape, params=params, table=table, at=at)


def village(users: int = 20_000, seed: int = 1) -> Graph:
    """A small graph, for tests."""
    return build_graph(GraphParams(users=users), seed)
