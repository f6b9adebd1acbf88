"""How many liked, retweeted, answered and quoted a computed tweet: by its author's followers and its age. Kernels.

The numbers are computed on their own: they are not the sums of computed replies and retweets, which nobody can enumerate.
Over all tweets they have the means of the parameters; a number only grows with time.
"""

from __future__ import annotations

import math

import numpy as np

from ...core.ids import EPOCH_MS, TIME_SHIFT
from ..compiled import njit
from .activity import (
    KEY,
    R_ANSWER_MS,
    R_EXPONENT,
    R_LIKES,
    R_NORM,
    R_QUOTES,
    R_REPLIES,
    R_RETWEETS,
    R_SIGMA,
    R_SPREAD_MS,
    Floats,
)
from .chance import mix, normal_quantile, poisson, unit
from .hashing import Table
from .kernels import in_degree_of, out_degree_of
from .past import BLOCK_MAX, Ids, author_of, stands
from .tables import Layout
from .threads import RETWEET, nominal_kind, parent_of

REACTION_STREAM = 0x11CE


@njit
def counts_into(act: Floats, table: Table, at: Layout, tweet_ids: Ids, now_ms: int, out: Ids) -> None:
    """Likes, retweets, replies, quotes of each by `now_ms`; zeros for retweets and for ids that do not stand."""
    windows, mine = np.empty(BLOCK_MAX, np.int64), np.empty(BLOCK_MAX, np.int64)
    for place in range(len(tweet_ids)):
        tweet_id = tweet_ids[place]
        out[place, :] = 0
        if not stands(act, table, at, tweet_id, now_ms):
            continue
        i = author_of(act, tweet_id)
        if nominal_kind(act, tweet_id) == RETWEET and parent_of(
            act, table, at, i, tweet_id, out_degree_of(table, at, i), windows, mine
        ):
            continue
        age = float(now_ms - EPOCH_MS - (tweet_id >> TIME_SHIFT))
        key = mix(int(act[KEY]) ^ REACTION_STREAM, tweet_id)
        followers = in_degree_of(table, at, i)
        sigma = act[R_SIGMA]
        liked = math.exp(sigma * normal_quantile(unit(mix(key, 0))) - sigma * sigma / 2.0)
        reach = liked * float(followers) ** act[R_EXPONENT] / act[R_NORM]
        out[place, 0] = by_age(act[R_LIKES] * reach, act[R_SPREAD_MS], age, mix(key, 1), followers)
        out[place, 1] = by_age(act[R_RETWEETS] * reach, act[R_SPREAD_MS], age, mix(key, 2), followers)
        out[place, 2] = by_age(act[R_REPLIES] * reach, act[R_ANSWER_MS], age, mix(key, 3), followers)
        out[place, 3] = by_age(act[R_QUOTES] * reach, act[R_SPREAD_MS], age, mix(key, 4), followers)


@njit
def by_age(mean: float, half_ms: float, age_ms: float, bits: int, most: int) -> int:
    """A Poisson number of reactions in the end, at most one a follower; the share a/(a + half) of them by age a."""
    final = min(most, poisson(mean, bits))
    return int(final * (age_ms / (age_ms + half_ms)) + unit(mix(bits, 0)))
