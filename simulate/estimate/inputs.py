"""What the estimate starts from: one number each, all of them flags, with what is allowed.

The defaults are the system design's where it gives one; where it does not, `SOURCES` says where the figure is from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from ...core.errors import Invalid


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """People, habits, sizes, and the fleet that the design names."""

    daily_active: float = 500e6
    weekly_active: float = 650e6
    monthly_active: float = 800e6
    tweets_per_user: float = 1.0
    active_tweeters: float = 0.38
    reads_per_user: float = 10.0
    page: float = 50.0
    peak: float = 3.0
    measured_peak: float = 1.62
    searchers: float = 0.1
    searches_per_user: float = 5.0
    id_bytes: float = 8.0
    text_chars: float = 280.0
    char_bytes_max: float = 4.0
    metadata_bytes: float = 100.0
    media_share: float = 0.3
    media_bytes: float = 1e6
    media_view_bytes: float = 100e3
    page_json_bytes: float = 28e3
    user_bytes: float = 1e3
    following: float = 200.0
    edge_bytes: float = 90.0
    years: float = 5.0
    replication: float = 3.0
    cassandra_node_bytes: float = 1.25 * 2**40
    entries: float = 800.0
    skiplist_bytes: float = 102.9e3
    listpack_bytes: float = 24.7e3
    list_bytes: float = 15.6e3
    redis_nodes: float = 100.0
    redis_node_bytes: float = 64e9
    redis_fill: float = 0.6
    redis_copies: float = 2.0
    regions: float = 3.0
    mysql_shards: float = 256.0
    sign_ups_per_s: float = 5.0
    celebrity_followers: float = 10_000.0
    celebrity_users: float = 0.001
    celebrity_edges: float = 0.375

    def as_dict(self) -> dict[str, float]:
        """By name, as the flags are."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Allowed(NamedTuple):
    """Least and greatest value, and what it is."""

    least: float
    most: float
    means: str


PEOPLE, SHARE, SIZE = (1.0, 1e10), (0.0, 1.0), (1.0, 1e15)
ALLOWED: Mapping[str, Allowed] = {
    "daily_active": Allowed(*PEOPLE, "people who come on a day"),
    "weekly_active": Allowed(*PEOPLE, "people who come in 7 days: those whose timelines stay cached"),
    "monthly_active": Allowed(*PEOPLE, "people who come in a month; the design has no more accounts than these"),
    "tweets_per_user": Allowed(0, 1e4, "tweets a daily active user posts a day, mean"),
    "active_tweeters": Allowed(0.001, 1, "share of the daily active who post at all"),
    "reads_per_user": Allowed(0, 1e4, "home timelines a daily active user loads a day"),
    "page": Allowed(1, 1000, "tweets a page"),
    "peak": Allowed(1, 100, "peak over mean that the design plans for"),
    "measured_peak": Allowed(1, 100, "peak hour over mean that was published"),
    "searchers": Allowed(*SHARE, "share of the daily active who search"),
    "searches_per_user": Allowed(0, 1e4, "searches a day of one who searches"),
    "id_bytes": Allowed(1, 64, "bytes of an id, a time or a score"),
    "text_chars": Allowed(1, 1e6, "characters a tweet at most"),
    "char_bytes_max": Allowed(1, 4, "bytes of UTF-8 a character at most"),
    "metadata_bytes": Allowed(0, 1e6, "bytes of metadata a tweet"),
    "media_share": Allowed(*SHARE, "share of tweets with media"),
    "media_bytes": Allowed(0, 1e12, "bytes of one medium as uploaded"),
    "media_view_bytes": Allowed(0, 1e12, "bytes of one medium as shown in a timeline"),
    "page_json_bytes": Allowed(*SIZE, "bytes of a page of tweets as JSON"),
    "user_bytes": Allowed(*SIZE, "bytes of a user's record"),
    "following": Allowed(0, 1e6, "people followed, mean (and so followers, mean)"),
    "edge_bytes": Allowed(1, 1e6, "bytes of a follow with its indexes, both ways"),
    "years": Allowed(0, 100, "years kept"),
    "replication": Allowed(1, 10, "copies in Cassandra"),
    "cassandra_node_bytes": Allowed(1e9, 1e15, "bytes a Cassandra node may hold"),
    "entries": Allowed(1, 1e6, "entries a cached timeline"),
    "skiplist_bytes": Allowed(*SIZE, "bytes of a full timeline as a sorted set (skiplist)"),
    "listpack_bytes": Allowed(*SIZE, "bytes of a full timeline as a sorted set (listpack)"),
    "list_bytes": Allowed(*SIZE, "bytes of a full timeline as a list"),
    "redis_nodes": Allowed(1, 1e6, "Redis nodes"),
    "redis_node_bytes": Allowed(1e6, 1e15, "bytes of memory a Redis node"),
    "redis_fill": Allowed(0.01, 1, "share of a node's memory that data may take"),
    "redis_copies": Allowed(1, 10, "copies of each timeline in a region, the primary included"),
    "regions": Allowed(1, 100, "regions that hold the timeline cache"),
    "mysql_shards": Allowed(1, 1e6, "MySQL shards"),
    "sign_ups_per_s": Allowed(0.001, 1e6, "accounts made a second, each node that makes ids"),
    "celebrity_followers": Allowed(1, 1e10, "followers above which an author is pulled"),
    "celebrity_users": Allowed(*SHARE, "share of users above that line"),
    "celebrity_edges": Allowed(*SHARE, "share of follows that point above it"),
}

SOURCES = {
    "weekly_active": "not in the design; halfway between its daily and monthly actives",
    "active_tweeters": "a zero-inflated lognormal that meets both Pew points (2019, 2021) has 38 % active",
    "measured_peak": "Pingdom, October and November 2009: 1.841M tweets in the best hour, 1.139M in the mean one",
    "page_json_bytes": "50 tweets of the HTTP API at about 560 B",
    "edge_bytes": "InnoDB, §6.1: row 38 B + by followee 21 + by time 25, in pages 15/16 full",
    "cassandra_node_bytes": "Netflix service-capacity-modeling: 1.25 TiB a node",
    "skiplist_bytes": "measured, Redis 7.0.15, 800 entries",
    "listpack_bytes": "measured, Redis 7.0.15: 16.5 KB (decimal member) to 24.7 KB (16 B member)",
    "list_bytes": "measured, Redis 7.0.15: 8.4 to 15.6 KB",
    "celebrity_users": "population model: 500,000 of 500M accounts",
    "celebrity_edges": "population model: 37.5 of 100 billion follows",
}
LEAST = {"listpack_bytes": 16.5e3, "list_bytes": 8.4e3}  # the other end of an interval whose top is the input

_NUMBER = re.compile(r"\s*([0-9][0-9_,]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+)\s*(%|[a-zA-Z]*)\s*")
_TIMES = {
    "": 1.0, "%": 0.01, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "bn": 1e9, "T": 1e12,
    "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip


def number(text: str) -> float:
    """500M, 1.5k, 3%, 64GB, 1.25TiB. Raises `Invalid` for anything else."""
    found = _NUMBER.fullmatch(text)
    times = _TIMES.get(found[2]) if found else None
    if found is None or times is None:
        raise Invalid(f"{text!r} is not a number", field="number", meaning="allowed: 1200, 500M, 2.5k, 30%, 64GB, 1.25TiB")
    return float(found[1].replace(",", "").replace("_", "")) * times


def inputs_from(given: Mapping[str, float | None]) -> Inputs:
    """The defaults with what is given (None: not given); weekly actives not given lie halfway between daily and monthly."""
    known = {name: value for name, value in given.items() if value is not None}
    unknown = sorted(set(known) - set(ALLOWED))
    if unknown:
        raise Invalid(f"no input {', '.join(unknown)}", field=unknown[0], meaning=f"allowed: {', '.join(ALLOWED)}")
    inputs = Inputs(**known)
    if "weekly_active" not in known:
        inputs = msgspec.structs.replace(inputs, weekly_active=(inputs.daily_active + inputs.monthly_active) / 2)
    return checked(inputs)


def checked(inputs: Inputs) -> Inputs:
    """The same, if it can be. Raises `Invalid` that names the flag and what is allowed."""
    for name, value in inputs.as_dict().items():
        least, most, means = ALLOWED[name]
        if not (math.isfinite(value) and least <= value <= most):
            what = f"--{name.replace('_', '-')} {value:g} ({means})"
            raise Invalid(f"{what} is out of its limits", field=name, meaning=f"allowed: {least:g} to {most:g}")
    if not inputs.daily_active <= inputs.weekly_active <= inputs.monthly_active:
        what = f"daily {inputs.daily_active:g}, weekly {inputs.weekly_active:g}, monthly {inputs.monthly_active:g} actives"
        raise Invalid(what, field="weekly_active", meaning="allowed: daily-active <= weekly-active <= monthly-active")
    if inputs.following >= inputs.monthly_active:
        what = f"--following {inputs.following:g} of {inputs.monthly_active:g} users"
        raise Invalid(what, field="following", meaning="allowed: fewer than there are users, since nobody follows twice")
    most = inputs.following / inputs.celebrity_followers
    if inputs.celebrity_users > most:
        what = f"--celebrity-users {inputs.celebrity_users:g} above {inputs.celebrity_followers:g} followers"
        meaning = f"allowed: at most {most:g}, since the mean is {inputs.following:g} (Markov)"
        raise Invalid(what, field="celebrity_users", meaning=meaning)
    return inputs
