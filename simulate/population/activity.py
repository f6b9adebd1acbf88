"""How often each user tweets and reads, and whether he was seen this week: pure functions of (seed, user, degrees), O(1).

One flat array holds every table that a kernel needs (`act`); nothing is stored per user. A user has two normal latents, one
for reading and, correlated with it, one for tweeting. Rates are quantile functions of them:

- **reading**: of the accounts seen in a month, daily readers have 1 + lognormal reads a day, weekly ones fall from 1 a day to
  1 a week, monthly ones to 1 a month. Resident (seen in the last 7 days) is exactly the upper `accounts.weekly` share.
- **tweeting**: zero for most; for the others lognormal, times followers^x with x fading to nothing between two follower
  counts, cut at a cap.

What is not here: days on which one is more active than on others, weekends, growth or weariness of an account.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compiled import njit
from .chance import mix, normal_quantile, unit

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

# places in the header of `act`
(
    KEY, USERS, DORMANT, MONTHLY, ABSENT, RHO, RHO_REST, Z_TWEETS, CAP, COUPLING, LN_FROM, LN_AT, READ_COUPLING, READ_SHIFT,
    REPLIES, RETWEETS, QUOTES, MEDIA, HASHTAGS, MENTIONS, LINKS, TAGS, TAG_EXPONENT, FIRST_MS, SPAN_MS, GROWTH, ID_BITS,
    R_LIKES, R_RETWEETS, R_REPLIES, R_QUOTES, R_EXPONENT, R_SIGMA, R_SPREAD_MS, R_ANSWER_MS, R_NORM, ASKED,
) = range(37)  # fmt: skip
HEADER = 48
Z_MAX = 7.0  # beyond it nobody is, of two billion
CELLS = 4097
READ_AT = HEADER  # ln of reads a day, over the reading latent in [-Z_MAX, Z_MAX]
TWEET_AT = READ_AT + CELLS  # ln of tweets a day, over the tweeting latent in [Z_TWEETS, Z_MAX]
CLOCK_AT = TWEET_AT + CELLS  # clocks.CLOCK_CELLS per region
READS, TWEETS = 0, 1  # questions asked of chance about a user
STREAMS = 16


class Calibration(NamedTuple):
    """How the free constants were set, and what is left between the targets and the expectations of the model."""

    daily_core_share: float  # of monthly: who reads every day
    ln_reads: float  # location of the lognormal of daily readers
    ln_tweets: float  # location of the lognormal of those who tweet
    own_sigma: float  # spread of tweeting that is not due to followers
    tweets_residual: float  # expected over target, minus 1
    reads_residual: float
    daily_residual: float
    sampled_users: int


@njit
def latent(act: Floats, i: int) -> float:
    """The reading latent; -inf for who is not seen in a month."""
    u = unit(mix(int(act[KEY]), i * STREAMS + READS))
    if u < act[DORMANT]:
        return -math.inf
    return normal_quantile((u - act[DORMANT]) / act[MONTHLY])


@njit
def resident(act: Floats, i: int) -> bool:
    """Seen in the last 7 days: has a cached timeline."""
    return bool(unit(mix(int(act[KEY]), i * STREAMS + READS)) >= act[ABSENT])


@njit
def read_rate(act: Floats, i: int, followees: int) -> float:
    """Home timelines read on an average day by user i, who follows so many."""
    z = latent(act, i)
    if z == -math.inf:
        return 0.0
    return math.exp(_cell(act, READ_AT, (z + Z_MAX) / (2.0 * Z_MAX)) + act[READ_COUPLING] * math.log(followees + 1.0) - act[READ_SHIFT])


@njit
def tweet_rate(act: Floats, i: int, followers: int) -> float:
    """Tweets of all kinds on an average day by user i, who has so many followers."""
    z = latent(act, i)
    if z == -math.inf:
        return 0.0
    own = normal_quantile(unit(mix(int(act[KEY]), i * STREAMS + TWEETS)))
    both = act[RHO] * z + act[RHO_REST] * own
    if both <= act[Z_TWEETS]:
        return 0.0
    ln_rate = _cell(act, TWEET_AT, (both - act[Z_TWEETS]) / (Z_MAX - act[Z_TWEETS]))
    return float(min(act[CAP], math.exp(ln_rate + act[COUPLING] * followers_weight(act, followers))))


@njit
def tweets_ever(act: Floats, i: int) -> bool:
    """Whether the rate of user i is above zero, without asking for degrees."""
    z = latent(act, i)
    if z == -math.inf:
        return False
    return bool(act[RHO] * z + act[RHO_REST] * normal_quantile(unit(mix(int(act[KEY]), i * STREAMS + TWEETS))) > act[Z_TWEETS])


@njit
def followers_weight(act: Floats, followers: int) -> float:
    """ln(followers), its slope fading from 1 to 0 between the two saturation counts, constant above."""
    ln, start, end = math.log(followers + 1.0), act[LN_FROM], act[LN_AT]
    if ln <= start:
        return ln
    over = min(ln, end) - start
    return float(start + over - over * over / (2.0 * (end - start)))


@njit
def created_ms(act: Floats, i: int) -> int:
    """When the account was made: the lower its number, the earlier."""
    return int(act[FIRST_MS] + act[SPAN_MS] * ((i + 1.0) / act[USERS]) ** (1.0 / act[GROWTH]))


@njit
def _cell(act: Floats, start: int, share: float) -> float:
    """A table of `CELLS` values over [0, 1], with straight lines between them."""
    at = min(max(share, 0.0), 1.0) * (CELLS - 1)
    low = min(int(at), CELLS - 2)
    return float(act[start + low] + (act[start + low + 1] - act[start + low]) * (at - low))


@njit
def tweet_rates(act: Floats, ids: Ids, followers: Ids) -> Floats:
    """`tweet_rate` of each."""
    out = np.empty(len(ids))
    for at in range(len(ids)):
        out[at] = tweet_rate(act, ids[at], followers[at])
    return out


@njit
def read_rates(act: Floats, ids: Ids, followees: Ids) -> Floats:
    """`read_rate` of each."""
    out = np.empty(len(ids))
    for at in range(len(ids)):
        out[at] = read_rate(act, ids[at], followees[at])
    return out


@njit
def residents(act: Floats, ids: Ids) -> npt.NDArray[np.bool_]:
    """`resident` of each."""
    out = np.empty(len(ids), np.bool_)
    for at in range(len(ids)):
        out[at] = resident(act, ids[at])
    return out


@njit
def created(act: Floats, ids: Ids) -> Ids:
    """`created_ms` of each."""
    out = np.empty(len(ids), np.int64)
    for at in range(len(ids)):
        out[at] = created_ms(act, ids[at])
    return out
