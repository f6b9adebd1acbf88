"""The compiled doors to the graph, all taking (table, at, ...): what other compiled code may call."""

from __future__ import annotations

from .kernels_lists import celebrities_of_into, followers_into, following_into, slots_of
from .kernels_places import id_of_in
from .kernels_points import (
    followee_at,
    follower_at,
    follows,
    in_degree_of,
    is_celebrity,
    one_way_in_degree_of,
    out_degree_of,
    province_of,
    pull_width_of,
    rank_of,
    region_of,
)

__all__ = [
    "celebrities_of_into",
    "followee_at",
    "follower_at",
    "followers_into",
    "following_into",
    "follows",
    "id_of_in",
    "in_degree_of",
    "is_celebrity",
    "one_way_in_degree_of",
    "out_degree_of",
    "province_of",
    "pull_width_of",
    "rank_of",
    "region_of",
    "slots_of",
]
