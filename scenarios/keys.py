"""Every key of a scenario file: what it is, what is allowed. The loader refuses anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..simulate.quantities import clock_of, count_of, seconds_of
from ..simulate.run.scenario import Delivery, Happening, Lists

Read = Callable[[object], object]
BOTH_MODES, LAYOUTS, TIERS = ("drawn", "exact"), ("list", "sorted-set"), ("redis", "cassandra", "mysql", "kafka", "gateway")


class Key(NamedTuple):
    """How a value is read, its bounds for numbers, and what it means."""

    read: Read
    about: str
    low: float = float("-inf")
    high: float = float("inf")


def text(value: object) -> str:
    """Raises `ValueError` for anything but text."""
    if not isinstance(value, str):
        msg = f"{value!r} is not text"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for every way of not being one
    return value


def flag(value: object) -> bool:
    """True or false, also as words (from a command line)."""
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    msg = f"{value!r} is neither true nor false"
    raise ValueError(msg)


def one_of(*allowed: str) -> Read:
    """One of some words."""

    def read(value: object) -> str:
        if value not in allowed:
            msg = f"{value!r} is not one of {', '.join(allowed)}"
            raise ValueError(msg)
        return str(value)

    return read


def _rule(read: Read, about: str, low: float = 0, high: float = float("inf")) -> Key:
    return Key(read, about, low, high)


KEYS: dict[str, Key] = {
    "schema": Key(count_of, "version of this format", 1, 1),
    "title": Key(text, "one line for a list"),
    "question": Key(text, "what the run answers"),
    "run.start": Key(clock_of, "time of day in UTC at which it begins"),
    "run.duration": Key(seconds_of, "how long it plays", 60, 31 * 86_400),
    "run.mode": Key(one_of(*BOTH_MODES), "how deliveries are counted"),
    "run.seed": Key(count_of, "of all chance", 0, 2**63 - 1),
    "population.users": Key(count_of, "accounts", 10_000, 2_000_000_000),
    "population.preset": Key(text, "preset of the population, or a file"),
    "rule.celebrity_followers_min": _rule(count_of, "more followers than this: pulled", 0, 2_000_000_000),
    "rule.timeline_entries_max": _rule(count_of, "cached entries a user", 1, 10_000),
    "rule.timeline_page_default": _rule(count_of, "tweets a page", 1, 200),
    "rule.fanout_batch": _rule(count_of, "followers in one push", 1, 100_000),
    "rule.inactive_after_days": _rule(count_of, "unseen for so long: no cached timeline", 0.04, 365),
    "rule.lists": Key(one_of(*Lists), "where celebrities' lists are read"),
    "rule.lists_ttl": _rule(seconds_of, "how long a process keeps such a list", 0.001, 86_400),
    "rule.layout": Key(one_of(*LAYOUTS), "encoding of a cached timeline"),
    "rule.delivery": Key(one_of(*Delivery), "how the tweet of an event's author travels"),
    "rule.single_flight": Key(flag, "one rebuild of a timeline at a time"),
    "rule.jitter": _rule(seconds_of, "over which clients that all come back at once spread themselves", 0, 600),
    "rule.retry_share": _rule(count_of, "of calls refused or timed out, that are tried again", 0, 1),
    "rule.retry_attempts": _rule(count_of, "tries of one call; 0: without end", 0, 100),
    "rule.retry_budget": _rule(count_of, "tries again that a first attempt allows", 0, 1e9),
    "rule.shed_wait": _rule(seconds_of, "a longer wait is refused at the door", 0.001, 600),
    "fleet.file": Key(text, "fleet by name, or a file"),
    "growth.per_year": Key(count_of, "everything grows by this factor a year", 0.1, 100),
    "growth.horizon": Key(seconds_of, "how far ahead", 0, 20 * 31_536_000),
}
METRICS = {
    "home_read_p50_ms": "median of a home page",
    "home_read_p99_ms": "99th percentile of a home page, worst minute",
    "delivery_p99_s": "tweet made to its last but one of a hundred followers",
    "error_share": "requests refused or timed out",
    "utilisation": "of the busiest resource at its peak",
    "memory_share": "of the fullest tier",
    "disk_share": "of the fullest tier",
    "recovered_s": "until all backlogs are gone after the last event",
    "cost_yr": "US dollars a year",
}
AMOUNTS: dict[Happening, dict[str, Key]] = {
    Happening.POST: {
        "followers": Key(count_of, "of the account that posts", 1, 2_000_000_000),
        "open_share": Key(count_of, "of its followers seen this week, who open the app on the notice", 0, 1),
        "open_half": Key(seconds_of, "half of them within this", 1, 86_400),
        "react_half": Key(seconds_of, "half of the reactions of those who open within this", 1, 86_400),
        "like_share": Key(count_of, "of those who open", 0, 1),
        "retweet_share": Key(count_of, "of those who open", 0, 1),
        "reply_share": Key(count_of, "of those who open", 0, 1),
    },
    Happening.REFRESH: {
        "share": Key(count_of, "of those seen today, who come back", 0, 1),
        "within": Key(seconds_of, "over this time, if their clients do not spread themselves further", 0.1, 86_400),
        "cold": Key(count_of, "share of the cached timelines that are gone", 0, 1),
    },
    Happening.NODE_LOSS: {
        "nodes": Key(count_of, "how many", 1, 10_000),
        "failover": Key(seconds_of, "until others take over", 0, 86_400),
        "kept": Key(count_of, "share of its data that a replica still has", 0, 1),
    },
    Happening.SURGE: {
        "factor": Key(count_of, "times all that people do", 0.01, 100),
        "lasts": Key(seconds_of, "for so long", 1, 31 * 86_400),
    },
}
DEFAULTS: dict[Happening, dict[str, object]] = {
    Happening.POST: {
        "followers": 1e6, "open_share": 0.03, "open_half": 60, "react_half": 960, "like_share": 0.1, "retweet_share": 0.01, "reply_share": 0.005,
    },
    Happening.REFRESH: {"share": 0.3, "within": 1, "cold": 0.0},
    Happening.NODE_LOSS: {"nodes": 1, "failover": 15, "kept": 0.0},
    Happening.SURGE: {"factor": 2, "lasts": 3_600},
}  # fmt: skip
