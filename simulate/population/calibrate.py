"""Sets the free constants of activity so that the population makes the tweets and reads that its parameters name.

By expectation, not by trial: tweets are summed over the tweeting latent and over a sample of follower counts, reads over the
reading latent and over a sample of followee counts; bisection sets the two locations and the share of daily readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...core.errors import Invalid
from ..compiled import njit
from . import activity as a
from .activity import CELLS, HEADER, Z_MAX, Calibration, Floats, followers_weight, tweet_rates
from .chance import mix, normal_quantiles, normal_tails
from .clocks import Curves, clock_cells
from .graph import Graph
from .params import Params

Degrees = npt.NDArray[np.int64]
SAMPLED = 65_536  # users whose degrees stand for all
QUANTILES = 64  # of the sampled weights: their spread is small
STEPS = 60
KEY_MASK = (1 << 52) - 1  # a float64 holds it exactly
WEEKLY_SLOWEST, MONTHLY_SLOWEST = 1 / 7, 1 / 30
TWEETERS_ASKED, ASKED_MAX = 4.5, 40  # how many of the followees that a tweet asks for a parent should tweet at all
ACTIVITY_STREAM = 0xAC7


def activity_table(params: Params, graph: Graph, seed: int, clock: Curves) -> tuple[Floats, Calibration]:
    """`act` for the population over that graph."""
    sample = sample_users(graph.users, seed, SAMPLED)
    followers, followees = graph.in_degree(sample), graph.out_degree(sample)
    header = _header(params, graph.users, seed)
    weights = _weights(header, followers)
    reads, core, ln_reads, reads_off, daily_off = _reading(params, header, followees)
    tweets, ln_tweets, own, tweets_off = _tweeting(params, header, weights)
    act = np.concatenate((header, reads, tweets, clock_cells(clock)))
    act[a.R_NORM] = _reach(act, sample, graph)
    return act, Calibration(core, ln_reads, ln_tweets, own, tweets_off, reads_off, daily_off, len(followers))


def sample_users(users: int, seed: int, count: int) -> npt.NDArray[np.int64]:
    """That many users, one from each of as many equal ranges of ids: a sample that depends on the seed alone."""
    count = min(users, count)
    return _stratified(users, _key(seed, 0x5A), count)


def celebrity_steps(graph: Graph, steps: int = 200) -> tuple[Degrees, Floats]:
    """Celebrities at ever larger distances in rank, and how many accounts each stands for."""
    count = graph.shape.celebrities
    edges = np.unique(np.round(np.geomspace(1, count + 1, steps + 1)).astype(np.int64)) - 1
    ids = np.array([graph.celebrity_by_rank(int((low + high - 1) // 2)) for low, high in pairwise(edges)])
    return ids.astype(np.int64), np.diff(edges).astype(np.float64)


def _reach(act: Floats, sample: Degrees, graph: Graph) -> float:
    """Mean over tweets of followers^exponent: ordinary users by sample, celebrities by steps of rank."""
    stars, weights = celebrity_steps(graph)
    ordinary = sample[~graph.is_celebrity(sample)]
    ids = np.concatenate((ordinary, stars))
    weight = np.concatenate((np.full(len(ordinary), (graph.users - graph.shape.celebrities) / max(1, len(ordinary))), weights))
    followers = graph.in_degree(ids)
    rates = tweet_rates(act, ids, followers) * weight
    return float(rates @ followers.astype(np.float64) ** act[a.R_EXPONENT]) / max(1e-12, float(rates.sum()))


def _key(seed: int, stream: int) -> int:
    return int(mix(seed, stream)) & KEY_MASK


def _header(params: Params, users: int, seed: int) -> Floats:
    header = np.zeros(HEADER)
    monthly, rho = params.monthly_share, params["reading.tweeting_correlation"]
    tweeting = params["activity.tweeting_share"]
    first, last = (_new_year(params[f"accounts.{end}_year"]) for end in ("first", "last"))
    places = {
        a.KEY: _key(seed, ACTIVITY_STREAM), a.USERS: users, a.DORMANT: 1 - monthly, a.MONTHLY: monthly, a.ABSENT: 1 - params.weekly_share,
        a.RHO: rho, a.RHO_REST: math.sqrt(1 - rho * rho), a.CAP: params["activity.cap_per_day"],
        a.Z_TWEETS: -Z_MAX if tweeting >= 1 else float(normal_quantiles(np.array([1 - tweeting]))[0]),
        a.COUPLING: params["activity.followers_exponent"], a.READ_COUPLING: params["reading.following_exponent"],
        a.LN_FROM: math.log(params["activity.saturates_from"] + 1), a.LN_AT: math.log(params["activity.saturates_at"] + 1),
        a.REPLIES: params["tweets.replies"], a.RETWEETS: params["tweets.retweets"], a.QUOTES: params["tweets.quotes"],
        a.MEDIA: params["tweets.media"], a.HASHTAGS: params["tweets.hashtags"], a.MENTIONS: params["tweets.mentions"],
        a.LINKS: params["tweets.links"], a.TAGS: params["tweets.hashtag_vocabulary"], a.TAG_EXPONENT: params["tweets.hashtag_exponent"],
        a.FIRST_MS: first, a.SPAN_MS: last - first, a.GROWTH: params["accounts.growth"], a.ID_BITS: max(29, (users - 1).bit_length()),
        a.R_LIKES: params["reactions.likes_per_tweet"], a.R_EXPONENT: params["reactions.followers_exponent"],
        a.R_SIGMA: params["reactions.sigma"], a.R_SPREAD_MS: _half_life(params["reactions.retweets_first_hour"]),
        a.R_ANSWER_MS: _half_life(params["reactions.replies_first_hour"]), a.R_NORM: 1.0,
        a.ASKED: min(ASKED_MAX, math.ceil(TWEETERS_ASKED / (monthly * tweeting))),
    }  # fmt: skip
    standing = max(1e-9, 1 - params["tweets.retweets"])  # a retweet is a reaction to one of the other tweets
    for place, kind in ((a.R_RETWEETS, "retweets"), (a.R_REPLIES, "replies"), (a.R_QUOTES, "quotes")):
        places[place] = params[f"tweets.{kind}"] / standing
    for place, value in places.items():
        header[place] = value
    return header


def _half_life(first_hour: float) -> float:
    """Of a share a/(a + t) reached by age a: the t with which that share is reached within an hour."""
    return 3_600_000 * (1 - first_hour) / first_hour


def _new_year(year: float) -> int:
    return int(datetime(int(year), 1, 1, tzinfo=UTC).timestamp()) * 1000


def _weights(header: Floats, followers: Degrees) -> Floats:
    """Quantiles of the exponent's multiplier over users."""
    return _middles(_each_weight(header, followers))


def _middles(values: Floats) -> Floats:
    """The means of equal parts of the sorted values: a small sample with the same mean."""
    parts = np.array_split(np.sort(values), min(QUANTILES, len(values)))
    return np.array([part.mean() for part in parts])


def _grid() -> tuple[Floats, Floats, Floats]:
    """Points of a latent, the normal mass around each, and the tail above each."""
    z = np.linspace(-Z_MAX, Z_MAX, CELLS)
    edges = np.concatenate(([-math.inf], (z[1:] + z[:-1]) / 2, [math.inf]))
    mass = normal_tails(edges[:-1]) - normal_tails(edges[1:])
    return z, mass, normal_tails(z)


def _tweeting(params: Params, header: Floats, weights: Floats) -> tuple[Floats, float, float, float]:
    """Logarithms of rates over the tweeting latent, so that the mean over accounts is the target; all spread together is sigma."""
    exponent, sigma, share = params["activity.followers_exponent"], params["activity.sigma"], params["activity.tweeting_share"]
    own = math.sqrt(max(0.0, sigma**2 - (exponent * float(weights.std())) ** 2))
    z = np.linspace(header[a.Z_TWEETS], Z_MAX, CELLS)
    tails = normal_tails(z)
    upper = np.clip(tails / share, 1e-300, 1 - 0.25 / CELLS)
    shape = own * -normal_quantiles(upper)
    relative = np.exp(shape)[:, None] * np.exp(exponent * weights)[None, :]
    mass = -np.diff(normal_tails(np.concatenate(([z[0]], (z[1:] + z[:-1]) / 2, [math.inf]))))
    cap, target = params["activity.cap_per_day"], params.tweets_per_account

    def mean(location: float) -> float:
        return params.monthly_share * float(mass @ np.minimum(cap, relative * math.exp(location)).mean(axis=1))

    if target >= params.monthly_share * share * cap:
        what = f"{target:g} tweets an account and day cannot be had from {share:.0%} who tweet at most {cap:g} a day"
        raise Invalid(what, field="load.tweets_per_day", code="PARAMETER", meaning="raise tweeting_share or cap_per_day")
    location = _bisected(mean, target, -40.0, 20.0)
    return shape + location, location, own, mean(location) / target - 1 if target else 0.0


def _reading(params: Params, header: Floats, followees: Degrees) -> tuple[Floats, float, float, float, float]:
    """Logarithms of rates over the reading latent, so that mean and expected readers a day are the targets."""
    exponent, target = params["reading.following_exponent"], params.reads_per_account
    factors = _middles(np.power(followees.astype(np.float64) + 1.0, exponent))
    header[a.READ_SHIFT] = math.log(float(factors.mean()))
    factors /= factors.mean()
    _, mass, tails = _grid()
    monthly, sigma = params.monthly_share, params["reading.sigma"]
    weekly, daily = params.weekly_share / monthly, params.daily_share

    def rates(core: float, location: float) -> Floats:
        upper = np.clip(tails / core, 1e-300, 1 - 1e-9)
        often = 1 + np.exp(np.minimum(40.0, location - sigma * normal_quantiles(upper)))
        week = WEEKLY_SLOWEST ** np.clip((tails - core) / max(weekly - core, 1e-9), 0, 1)
        month = WEEKLY_SLOWEST * (MONTHLY_SLOWEST / WEEKLY_SLOWEST) ** np.clip((tails - weekly) / max(1 - weekly, 1e-9), 0, 1)
        return np.where(tails < core, often, np.where(tails < weekly, week, month))

    def made(core: float) -> tuple[Floats, float]:
        location = _bisected(lambda ln: monthly * float(mass @ rates(core, ln)), target, -20.0, 20.0)
        found = rates(core, location)
        return found * (target / max(1e-12, monthly * float(mass @ found))), location

    def seen(core: float) -> float:
        return monthly * float(mass @ (1 - np.exp(-made(core)[0][:, None] * factors[None, 4::8]).mean(axis=1)))

    core = _bisected(seen, daily, 1e-4, weekly, steps=16)
    found, location = made(core)
    mean = monthly * float(mass @ found)
    off = mean / target - 1 if target else 0.0
    return np.log(np.maximum(found, 1e-12)), core, location, off, seen(core) / daily - 1


def _bisected(rising: Callable[[float], float], target: float, low: float, high: float, steps: int = STEPS) -> float:
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


@njit
def _each_weight(act: Floats, followers: Degrees) -> Floats:
    out = np.empty(len(followers))
    for at in range(len(followers)):
        out[at] = followers_weight(act, followers[at])
    return out


@njit
def _stratified(users: int, key: int, count: int) -> npt.NDArray[np.int64]:
    out = np.empty(count, np.int64)
    for at in range(count):
        start, end = at * users // count, (at + 1) * users // count
        out[at] = start + np.int64((mix(key, at) >> np.uint64(1)) % np.uint64(end - start))
    return out
