"""Deliveries through partitions of a log: how long after a tweet its last follower has it.

`keyed`: all of a tweet is handled by the one worker that has the partition of its author, so a pushed tweet of 100M holds that worker for
minutes, and with it the authors that share it. `ranges`: a large tweet is cut into subtasks by follower range that all consumers
share; at most `abreast` of one tweet wait or run at once, so small tweets pass between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.errors import Invalid
from ...core.routing import partition
from ..compiled import njit
from .draws import take
from .model import Floats, Ints


@dataclass(frozen=True, slots=True)
class Consumers:
    """Who delivers: partitions dealt to workers, seconds a delivery and a task, how large tweets are cut."""

    partitions: int = 256
    workers: int = 256
    delivery_s: float = 2.5e-6
    task_s: float = 2e-3  # each task: reading, bookkeeping
    ranges: bool = True
    range_followers: int = 10_000
    abreast: int = 64  # subtasks of one tweet at once


@dataclass(frozen=True, slots=True)
class Delivered:
    """By tweet: when its first and its last follower had it, seconds after it was posted; and how busy all were."""

    first_s: Floats
    last_s: Floats
    busy: float  # share of the workers' time until the last was done
    longest_hold_s: float  # the longest that one task held a worker


def deliver(at_s: Floats, authors: Ints, followers: Ints, consumers: Consumers) -> Delivered:
    """Tweets in order of time, each to so many resident followers."""
    if at_s.size and (np.diff(at_s) < 0).any():
        raise Invalid("tweets must come in order of time", field="at_s")
    if min(consumers.partitions, consumers.workers, consumers.abreast, consumers.range_followers) < 1:
        raise Invalid("partitions, workers, subtasks abreast and their followers must each be at least one", field="consumers")
    first, last, tally = np.zeros(at_s.size), np.zeros(at_s.size), np.zeros(2)
    if consumers.ranges:
        _by_ranges(at_s, followers, consumers.workers, consumers.delivery_s, consumers.task_s, consumers.range_followers,
                   consumers.abreast, first, last, tally)  # fmt: skip
    else:
        workers = np.array([partition_of(int(a), consumers.partitions) for a in np.unique(authors)], np.int64) % consumers.workers
        owner = workers[np.searchsorted(np.unique(authors), authors)]
        _keyed(at_s, owner, followers, consumers.workers, consumers.delivery_s, consumers.task_s, first, last, tally)
    end = float((at_s + last).max()) - float(at_s.min()) if at_s.size else 0.0
    return Delivered(first, last, tally[0] / (end * consumers.workers) if end else 0.0, float(tally[1]))


def partition_of(author: int, partitions: int) -> int:
    """The partition that an author's events are in, as the core routes them."""
    return partition(author.to_bytes(8), partitions)


@njit
def _keyed(at: np.ndarray, owner: np.ndarray, followers: np.ndarray, workers: int, delivery: float, task: float, first: np.ndarray,
           last: np.ndarray, tally: np.ndarray) -> None:  # fmt: skip
    free = np.zeros(workers)
    for i in range(at.size):
        start = max(at[i], free[owner[i]])
        hold = task + followers[i] * delivery
        free[owner[i]] = start + hold
        first[i] = start + task - at[i]
        last[i] = start + hold - at[i]
        tally[0] += hold
        tally[1] = max(tally[1], hold)


@njit
def _push(times: np.ndarray, tweets: np.ndarray, n: int, time: float, tweet: int) -> int:
    """Onto a heap of tasks by the time at which they become ready."""
    i = n
    while i > 0 and times[(i - 1) // 2] > time:
        times[i], tweets[i] = times[(i - 1) // 2], tweets[(i - 1) // 2]
        i = (i - 1) // 2
    times[i], tweets[i] = time, tweet
    return n + 1


@njit
def _pop(times: np.ndarray, tweets: np.ndarray, n: int) -> int:
    """Off the heap goes its first."""
    n -= 1
    time, tweet = times[n], tweets[n]
    i = 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[i], tweets[i] = times[child], tweets[child]
        i = child
    times[i], tweets[i] = time, tweet
    return n


@njit
def _by_ranges(at: np.ndarray, followers: np.ndarray, workers: int, delivery: float, task: float, size: int, abreast: int,
               first: np.ndarray, last: np.ndarray, tally: np.ndarray) -> None:  # fmt: skip
    """First come first served over all workers; a subtask that ends puts the tweet's next range in the queue."""
    free = np.zeros(workers)
    left = followers.copy()
    room = 1024
    times, tweets = np.empty(room), np.empty(room, np.int64)
    n, i = 0, 0
    while i < at.size or n > 0:
        if i < at.size and (n == 0 or at[i] <= times[0]):
            tweet, ready = i, at[i]
            i += 1
            ahead = min(abreast, max(1, -(-left[tweet] // size)))
            if n + ahead >= room:
                room = 2 * (room + ahead)
                times, tweets = np.append(times, np.empty(room - times.size)), np.append(tweets, np.empty(room - tweets.size, np.int64))
            for _ in range(ahead):
                n = _push(times, tweets, n, ready, tweet)
            continue
        tweet, ready = tweets[0], times[0]
        n = _pop(times, tweets, n)
        some = min(left[tweet], size)
        left[tweet] -= some
        start = max(ready, free[0])
        hold = task + some * delivery
        take(free, start + hold)
        if first[tweet] == 0.0:
            first[tweet] = start + task - at[tweet]
        last[tweet] = max(last[tweet], start + hold - at[tweet])
        tally[0] += hold
        tally[1] = max(tally[1], hold)
        queued = left[tweet] - size * (abreast - 1)  # what no waiting subtask will take
        if queued > 0:
            n = _push(times, tweets, n, start + hold, tweet)
