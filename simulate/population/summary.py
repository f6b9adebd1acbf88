"""What a population is: each figure beside what was asked for or published, how far off it is, and from how many it was taken.

Users are sampled, celebrities are all counted: what has a heavy tail does not scale from a sample of users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from . import measures as m
from . import reactions, threads
from .activity import Floats
from .calibrate import sample_users
from .clocks import curves
from .measures import Crowd
from .people import Population

ASKED, PUBLISHED, MODEL = "asked", "published", "model"
HEAD_RANKS, HEAD_LISTED = 100, 20_000
TWEETERS, TWEETS_EACH = 4_000, 3

NOT_MODELLED = (
    "change: no new accounts after the last year, no unfollows, no accounts that grow or tire",
    "bursts: instants of one user are independent given the daily curve; no weekend, no events (scenarios bring them)",
    "communities beyond rings and regions; clustering is what is printed above, no more",
    "who liked, answered, retweeted or quoted a computed tweet: only how many, apart from the computed replies and retweets",
    "retweets within minutes: the tweets that computed ones point at are hours to days old, published ones minutes",
    "meaning: texts are drawn from short lists, in one language, alike in all regions; lengths are not calibrated",
    "private, suspended and automated accounts; clients that poll",
    "followers as a cause of tweeting beyond one exponent: Pew's followers of the most active quarter are far more, see above",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure. `basis` says what `against` is: asked, published, or another figure of the model; `off` = value/against - 1."""

    section: str
    fact: str
    value: float
    basis: str = ""
    against: float | None = None
    off: float | None = None
    sample: int = 0
    note: str = ""


def facts(people: Population, sample: int) -> list[Fact]:
    """All of them, in order of sections."""
    crowd = m.crowd(people, min(sample, people.graph.users))
    sections = (_size(people), _activity(people, crowd), _pew(crowd), _graph(people, crowd), _reach(people, crowd), _day(people), _tweets(people))
    return [fact for section in sections for fact in section]


def _against(section: str, fact: str, value: float, basis: str, against: float, sample: int = 0, note: str = "") -> Fact:
    off = value / against - 1 if against else None
    return Fact(section=section, fact=fact, value=value, basis=basis, against=against, off=off, sample=sample, note=note)


def _size(people: Population) -> Iterator[Fact]:
    shape, section = people.graph.shape, "size"
    yield _against(section, "users", people.graph.users, ASKED, shape.asked, note=shape.stated())
    yield Fact(section=section, fact="celebrities", value=shape.celebrities, note=f"more than {shape.threshold:,} followers each")
    yield Fact(section=section, fact="follows", value=float(shape.edges), note="slots of all lists")
    tables = people.table.nbytes + people.act.nbytes
    yield Fact(section=section, fact="bytes of tables", value=tables, note="all there is in memory; nothing per user")


def _activity(people: Population, crowd: Crowd) -> Iterator[Fact]:
    params, users, section = people.params, people.graph.users, "activity"
    tweets, reads = crowd.column(m.TWEETS), crowd.column(m.READS)
    calibration = people.calibration
    error = f"standard error {_error(crowd, tweets):.2%}; calibrated by expectation, residual {calibration.tweets_residual:+.1e}"
    yield _against(section, "tweets a day", crowd.total(tweets), ASKED, params.tweets_per_account * users, crowd.sampled, error)
    error = f"standard error {_error(crowd, reads):.2%}; residual {calibration.reads_residual:+.1e}"
    yield _against(section, "home reads a day", crowd.total(reads), ASKED, params.reads_per_account * users, crowd.sampled, error)
    there = crowd.mean(crowd.column(m.RESIDENT))
    yield _against(section, "resident (7 days)", there, ASKED, params.weekly_share, crowd.sampled, "share of accounts: these have a timeline")
    for days, basis, share, note in (
        (1, ASKED, params.daily_share, "fitted"), (7, ASKED, params.weekly_share, "not fitted: Poisson reads against residency"),
        (30, ASKED, params.monthly_share, "not fitted"),
    ):  # fmt: skip
        seen = crowd.mean(1 - np.exp(-days * reads))
        yield _against(section, f"read within {days} day{'s' * (days > 1)}, share", seen, basis, share, crowd.sampled, note)
    both = (tweets > 0) & (reads > 0)
    agree = float(np.corrcoef(np.log(tweets[both]), np.log(reads[both]))[0, 1]) if both.sum() > 2 else 0.0
    yield Fact(section=section, fact="correlation of ln tweets and ln reads", value=agree, sample=int(both.sum()), note="of those who tweet")
    yield Fact(section=section, fact="most tweets a day of one account", value=float(tweets.max()), sample=crowd.sampled)


def _error(crowd: Crowd, values: Floats) -> float:
    """Relative standard error of a total: only the ordinary users are sampled."""
    ordinary, weight = values[: crowd.sampled], crowd.weights[0]
    total = crowd.total(values)
    return float(ordinary.std() * weight * np.sqrt(max(1, crowd.sampled))) / total if total else 0.0


def _pew(crowd: Crowd) -> Iterator[Fact]:
    section, note = "activity against Pew", "of accounts seen in a month"
    monthly = crowd.column(m.READS) > 0
    tweets, weights = crowd.column(m.TWEETS)[monthly], crowd.weights[monthly]
    order = np.argsort(-tweets, kind="stable")
    ranked, people = tweets[order] * weights[order], weights[order].cumsum() / weights.sum()
    done = ranked.cumsum() / max(ranked.sum(), 1e-300)
    for share, published in ((0.10, 0.80), (0.25, 0.97)):
        value = float(np.interp(share, people, done))
        yield _against(section, f"tweets by the top {share:.0%}", value, PUBLISHED, published, int(monthly.sum()), note)
    quarter = np.zeros(len(order), np.bool_)
    quarter[order[people <= 0.25]] = True
    for name, place, top, rest in (("followers", m.FOLLOWERS, 230, 29), ("following", m.FOLLOWING, 469, 125)):
        values = crowd.column(place)[monthly]
        for who, mask, published in (("top 25 %", quarter, top), ("others", ~quarter, rest)):
            value = _percentile(values[mask], weights[mask], 50)
            yield _against(section, f"median {name}, {who} by tweets", value, PUBLISHED, published, int(mask.sum()), "not fitted")


def _graph(people: Population, crowd: Crowd) -> Iterator[Fact]:
    shape, section = people.graph.shape, "graph"
    following, followers = crowd.column(m.FOLLOWING), crowd.column(m.FOLLOWERS)
    yield _against(section, "mean following", crowd.mean(following), ASKED, shape.mean_following, crowd.sampled)
    yield _against(section, "mean followers", crowd.mean(followers), MODEL, crowd.mean(following), crowd.sampled, "the same edges")
    for percent in (50, 90, 99):
        for name, values in (("following", following), ("followers", followers)):
            yield Fact(section=section, fact=f"{name}, {percent}th percentile", value=_percentile(values, crowd.weights, percent), sample=crowd.sampled)
    top = people.graph.in_degree([people.graph.celebrity_by_rank(0)])
    yield Fact(section=section, fact="followers of the first account", value=float(top[0]))
    agree = float(np.corrcoef(_ranks(following[: crowd.sampled]), _ranks(followers[: crowd.sampled]))[0, 1])
    yield Fact(section=section, fact="rank correlation of following and followers", value=agree, sample=crowd.sampled)
    found = m.edges(people)
    note = f"edges around {found.users:,} users"
    yield _against(section, "distinct/nominal, following", found.distinct / found.slots, MODEL, 1, found.slots, note)
    distinct, listed = m.distinct_followers(people, min(HEAD_RANKS, shape.celebrities), HEAD_LISTED)
    yield _against(section, "distinct/listed, followers of the top", distinct / listed, MODEL, 1, listed, f"first {HEAD_LISTED:,} of {HEAD_RANKS}")
    yield _against(section, "reciprocity", found.back / found.distinct, ASKED, shape.reciprocity, found.distinct, note)
    yield _against(section, "in-region share", found.at_home / found.distinct, ASKED, shape.in_region_share, found.distinct, note)
    yield Fact(section=section, fact="local clustering", value=found.joined / max(1, found.pairs), sample=found.pairs, note="pairs of followees")


def _percentile(values: Floats, weights: Floats, percent: float) -> float:
    """Of accounts, each row standing for its weight of them."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    reached = weights[order].cumsum() / weights.sum()
    return float(values[order][min(len(order) - 1, int(np.searchsorted(reached, percent / 100)))])


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)


def _reach(people: Population, crowd: Crowd) -> Iterator[Fact]:
    """What a tweet and a read cost, by degrees and rates alone."""
    section = "what a tweet and a read touch"
    tweets, reads, followers, width = (crowd.column(place) for place in (m.TWEETS, m.READS, m.FOLLOWERS, m.WIDTH))
    made = max(crowd.total(tweets), 1e-300)
    note = "followers weighted by tweets; celebrities all counted"
    yield Fact(section=section, fact="deliveries a tweet, all pushed", value=crowd.total(tweets * followers) / made, sample=crowd.sampled, note=note)
    pushed = np.where(np.arange(len(tweets)) < crowd.sampled, followers, 0.0)
    threshold = people.graph.shape.threshold
    value = crowd.total(tweets * pushed) / made
    yield Fact(section=section, fact="deliveries a tweet, hybrid", value=value, sample=crowd.sampled, note=f"none above {threshold:,} followers")
    value = crowd.total(tweets * (pushed == 0) * (followers > 0)) / made
    yield Fact(section=section, fact="share of tweets that are pulled", value=value, sample=crowd.sampled)
    plain = crowd.mean(width)
    yield Fact(section=section, fact="celebrities followed (pull width)", value=plain, sample=crowd.sampled, note="mean over accounts")
    weighted = crowd.total(width * reads) / max(crowd.total(reads), 1e-300)
    yield _against(section, "pull width weighted by reads", weighted, MODEL, plain, crowd.sampled, "who reads more follows more")


def _day(people: Population) -> Iterator[Fact]:
    section, clock, params = "day", people.clock, people.params
    yield _against(section, "world's peak over mean", clock.peak, PUBLISHED, params["clock.peak"], note=f"at {_hour(clock.world.argmax())} UTC")
    yield _against(section, "world's trough over mean", clock.trough, PUBLISHED, params["clock.trough"], note=f"at {_hour(clock.world.argmin())} UTC")
    for region, curve in zip(params.regions, clock.by_region, strict=True):
        note = f"at {_hour(curve.argmax())} UTC; {region.share:.0%} of accounts"
        yield Fact(section=section, fact=f"peak in {region.name}", value=float(curve.max()), note=note)
    stress = curves(params, stress=True)
    yield _against(section, "peak under stress", stress.peak, ASKED, params["clock.stress_peak"], note="all regional curves to one power")


def _hour(minute: np.intp) -> str:
    return f"{int(minute) // 60:02}:{int(minute) % 60:02}"


def _tweets(people: Population) -> Iterator[Fact]:
    """Newest tweets of users drawn in proportion to their tweeting, as the service would read them."""
    section, params = "tweets", people.params
    ids = _tweeters(people)
    now_ms = _moment(people)
    newest = [entries[:, 0] for entries in people.tweets_of(ids, 0, 0, TWEETS_EACH, now_ms)]
    tweet_ids = np.concatenate(newest) if newest else np.empty(0, np.int64)
    if not len(tweet_ids):
        return
    found = np.empty((len(tweet_ids), threads.COLUMNS), np.int64)
    threads.describe(people.act, people.table, people.at, tweet_ids, found)
    kinds, count = found[:, threads.KIND], len(tweet_ids)
    note = "asked less those whose author's followees had nothing fitting"
    for name, kind in (("replies", threads.REPLY), ("retweets", threads.RETWEET), ("quotes", threads.QUOTE)):
        yield _against(section, f"share of {name}", float((kinds == kind).mean()), ASKED, params[f"tweets.{name}"], count, note)
    points = found[:, threads.PARENT] > 0
    ages = (tweet_ids[points] - found[points, threads.PARENT]) / (1 << 22) / 3.6e6
    if len(ages):
        yield Fact(section=section, fact="median age of what they point at, hours", value=float(np.median(ages)), sample=len(ages))
    counts = np.zeros((count, 4), np.int64)
    reactions.counts_into(people.act, people.table, people.at, tweet_ids, now_ms + 7 * 86_400_000, counts)
    own = kinds != threads.RETWEET
    anyone = float((counts[own].sum(axis=1) > 0).mean()) if own.any() else 0.0
    yield _against(section, "share that gets a reaction", anyone, PUBLISHED, 0.29, int(own.sum()), "Sysomos 2010; not fitted")


def _tweeters(people: Population) -> m.Ids:
    ids = sample_users(people.graph.users, people.seed + 2, 200_000)
    reached = people.tweet_rate(ids).cumsum()
    drawn = np.searchsorted(reached, (np.arange(TWEETERS) + 0.5) / TWEETERS * reached[-1])
    return np.asarray(ids[np.minimum(drawn, len(ids) - 1)], dtype=np.int64)


def _moment(people: Population) -> int:
    """A fixed one after the last account was made, at noon."""
    return int(datetime(int(people.params["accounts.last_year"]), 6, 1, 12, tzinfo=UTC).timestamp()) * 1_000
