"""Users of a day, one by one, in compiled code: how often each reads and tweets, when, and what that adds to the sums.

Every number a user draws is a hash of (seed, day, user, question); sums are integers. So neither the order of users nor the
number of threads can change a total. Drawn: tweets are a Poisson count, and an author's resident followers are drawn from
their share, once an author. Exact: tweets are those that the population says he made that day, his followers are
enumerated, and every reader notes at each celebrity he follows how often his list is read.
"""

# mypy: disable-error-code="arg-type, assignment, return-value, no-any-return"
# (compiled code has one kind of integer where numpy has many)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.ids import EPOCH_MS, TIME_SHIFT
from ..compiled import njit
from ..population.activity import read_rate, resident, tweet_rate, tweets_ever
from ..population.chance import mix, poisson
from ..population.hashing import Table
from ..population.kernels import (
    celebrities_of_into,
    followers_into,
    in_degree_of,
    is_celebrity,
    out_degree_of,
    pull_width_of,
)
from ..population.kernels import region_of as region_of_user
from ..population.kernels_places import in_place
from ..population.past import newest_into
from .draws import CLOCK_CELLS, HALF, LOW, MINUTES, Floats, Small, Sums, binomial, minute_of, minutes_into
from .routes import Slots, kafka_partition, redis_shard

REGIONS = 8
DAY_MS = 86_400_000

# columns of what is summed by minute
(
    BARE, COLD, COLD_AUTHORS, COLD_FOLLOWEES, TWEETS, POSTERS_FOLLOWEES, ATTEMPTED, STORED, SKIPPED, PULLED,
    PULLED_TWEETS, PAGES, LISTED, PUSHES, LARGE,
) = range(15)  # fmt: skip
COLUMNS = 15
LISTS, FOLLOWEES = 0, 1  # columns of what every read adds to: a small array, since it is met most

# the sums that have no minute
USERS, READERS, WRITERS, RESIDENT, WIDTH, WIDTH_READS, WIDTH_MAX, FOLLOWERS_TWEETS = range(8)

# where everything lies in the one array of sums
WIDTHS = 1024  # histogram of pull widths; its last cell holds all wider ones
SIZES = 4096  # histogram of readers a push; `fanout_batch` stays below it
READS_AT = 0
TWEETS_AT = READS_AT + REGIONS * MINUTES
MINUTE_AT = TWEETS_AT + REGIONS * MINUTES
PAIRS_AT = MINUTE_AT + MINUTES * COLUMNS
SCALAR_AT = PAIRS_AT + 2 * MINUTES
WIDTHS_AT = SCALAR_AT + 16
SIZES_AT = WIDTHS_AT + WIDTHS
SUMS = SIZES_AT + SIZES
PAGES_SHIFT = 40  # of one part of the users: below 2^40 followers listed and 2^23 pages a shard and minute

READS_Q, TWEETS_Q, MINUTES_Q, STORED_Q, STREAMS = 0, 1, 2, 3, 8
PUSH_ALL, PULL_ALL, HYBRID = 0, 1, 2


class Plan(NamedTuple):
    """What a day is counted by; numbers only, so that compiled code may be handed it whole."""

    key: int
    start_ms: int
    redis: int
    kafka: int
    mysql: int
    rule: int
    batch: int
    share: float  # of pushed follows that are of somebody with a cached timeline
    exact: bool


@njit
def count_users(
    table: Table, at: Any, act: Floats, clock: Small, slots: Slots, plan: Plan, start: int, stop: int,
    sums: Sums, small: Small, lists: Sums, list_reads: Sums,
) -> None:
    """Users [start, stop) of a day, added to the sums. By shard and minute: home rows and event partitions in `small`; in
    `lists` follower lists, pages above bit `PAGES_SHIFT` and followers below, since every place met costs a cache line."""
    some = np.empty(1 << 15, np.int64)
    minutes = np.empty(1 << 13, np.int64)
    for i in by_home(slots, plan.redis, start, stop):
        followees = out_degree_of(table, at, i)
        followers = in_degree_of(table, at, i)
        reads = poisson(read_rate(act, i, followees), mix(plan.key, i * STREAMS + READS_Q))
        if plan.exact:
            tweets = own_minutes(table, at, act, i, plan.start_ms, minutes) if tweets_ever(act, i) else 0
        else:
            tweets = poisson(tweet_rate(act, i, followers), mix(plan.key, i * STREAMS + TWEETS_Q))
        here = resident(act, i)
        width = width_of(table, at, i, plan.rule, followees)
        sums[SCALAR_AT + RESIDENT] += 1 if here else 0
        sums[SCALAR_AT + WIDTH] += width
        sums[WIDTHS_AT + min(width, WIDTHS - 1)] += 1
        if reads == 0 and tweets == 0:
            continue
        region = region_of_user(table, at, i)
        if reads > 0:
            read(clock, slots, plan, i, region, reads, width, followees, here, sums, small)
            if plan.exact and plan.rule == HYBRID and width > 0:
                note_lists(table, at, i, reads, some, list_reads)
        if tweets > 0:
            pulled = plan.rule == PULL_ALL or (plan.rule == HYBRID and is_celebrity(table, at, i))
            stored = 0
            if not plan.exact:
                stored = 0 if pulled else binomial(followers, plan.share, mix(plan.key, i * STREAMS + STORED_Q))
                minutes_into(mix(mix(plan.key, i * STREAMS + MINUTES_Q), STREAMS), tweets, clock, region * CLOCK_CELLS, minutes)
            elif not pulled:
                followers, stored = resident_followers(table, at, act, i, some)
            write(plan, i, region, tweets, minutes, followers, stored, pulled, followees, sums, small, lists)
    sums[SCALAR_AT + USERS] += stop - start


@njit
def by_home(slots: Slots, shards: int, start: int, stop: int) -> Sums:
    """Users [start, stop) by the shard of their home row: who comes next adds to the same few kilobytes of `small`, where in order
    of id every read would miss the cache, which is half of the time."""
    ends = np.zeros(shards + 1, np.int64)
    for i in range(start, stop):
        ends[redis_shard(slots, i + 1, shards) + 1] += 1
    ends = np.cumsum(ends)
    users = np.empty(stop - start, np.int64)
    for i in range(start, stop):
        shard = redis_shard(slots, i + 1, shards)
        users[ends[shard]] = i
        ends[shard] += 1
    return users


@njit
def width_of(table: Table, at: Any, i: int, rule: int, followees: int) -> int:
    """How many lists a read of user i merges."""
    if rule == HYBRID:
        return pull_width_of(table, at, i)
    return followees if rule == PULL_ALL else 0


@njit
def read(
    clock: Small, slots: Slots, plan: Plan, i: int, region: int, reads: int, width: int, followees: int, here: bool,
    sums: Sums, small: Small,
) -> None:
    """One user's reads of the day, minute by minute. Who was away for a week finds no row at the first."""
    key = mix(plan.key, i * STREAMS + MINUTES_Q)
    home = redis_shard(slots, i + 1, plan.redis) * MINUTES
    by_region = READS_AT + region * MINUTES
    base = region * CLOCK_CELLS
    bits = np.uint64(0)
    minute = 0
    for k in range(reads):
        bits = np.uint64(mix(key, k >> 1)) if k & 1 == 0 else bits >> HALF
        minute = minute_of(clock, base, np.int64(bits & LOW))
        small[home + minute] += np.uint32(1)
        sums[by_region + minute] += 1
        pair = PAIRS_AT + 2 * minute
        sums[pair + LISTS] += width
        sums[pair + FOLLOWEES] += followees
    row = MINUTE_AT + minute * COLUMNS
    if followees == 0:
        sums[row + BARE] += reads
    if not here:
        sums[row + COLD] += 1
        sums[row + COLD_AUTHORS] += followees - width + 1
        sums[row + COLD_FOLLOWEES] += followees
    sums[SCALAR_AT + READERS] += 1
    sums[SCALAR_AT + WIDTH_READS] += width * reads
    sums[SCALAR_AT + WIDTH_MAX] = max(sums[SCALAR_AT + WIDTH_MAX], width)


@njit
def write(
    plan: Plan, i: int, region: int, tweets: int, minutes: Sums, followers: int, stored: int, pulled: bool, followees: int,
    sums: Sums, small: Small, lists: Sums,
) -> None:
    """One author's tweets of the day: what each asks of the fan-out, in the minute in which it was made."""
    large = not pulled and followers > plan.batch
    batches = (followers + plan.batch - 1) // plan.batch
    pages = 1 + batches if large else 1
    listed = min(followers, plan.batch) + (followers if large else 0)
    events = (plan.redis + kafka_partition(i + 1, plan.kafka)) * MINUTES
    here = (i + 1) % plan.mysql * MINUTES
    packed = (np.int64(pages) << PAGES_SHIFT) + listed
    for k in range(tweets):
        minute = minutes[k]
        sums[TWEETS_AT + region * MINUTES + minute] += 1
        row = MINUTE_AT + minute * COLUMNS
        sums[row + TWEETS] += 1
        sums[row + POSTERS_FOLLOWEES] += followees
        sums[row + ATTEMPTED] += followers
        sums[row + PAGES] += pages
        sums[row + LISTED] += listed
        sums[row + PUSHES] += 2 + (batches if large else 0)
        sums[row + (PULLED if pulled else STORED)] += followers if pulled else stored
        sums[row + SKIPPED] += 0 if pulled else followers - stored
        sums[row + PULLED_TWEETS] += 1 if pulled else 0
        sums[row + LARGE] += 1 if large else 0
        small[events + minute] += np.uint32(1)
        lists[here + minute] += packed
    note_pushes(sums, tweets, followers, pulled, plan.batch)
    sums[SCALAR_AT + WRITERS] += 1
    sums[SCALAR_AT + FOLLOWERS_TWEETS] += followers * tweets


@njit
def note_pushes(sums: Sums, tweets: int, followers: int, pulled: bool, batch: int) -> None:
    """How many readers each push of an author's tweets has: his own row, once or twice, and the followers in batches."""
    if pulled or followers > batch:
        sums[SIZES_AT + 1] += 2 * tweets
    else:
        sums[SIZES_AT + 1] += tweets
        sums[SIZES_AT + followers + 1] += tweets
    if not pulled and followers > batch:
        sums[SIZES_AT + batch] += tweets * (followers // batch)
        sums[SIZES_AT + followers % batch] += tweets


@njit
def own_minutes(table: Table, at: Any, act: Floats, i: int, start_ms: int, out: Sums) -> int:
    """When user i made the tweets that the population says he made that day; how many."""
    after = ((start_ms - EPOCH_MS) << TIME_SHIFT) - 1
    before = (start_ms + DAY_MS - EPOCH_MS) << TIME_SHIFT
    count = newest_into(act, table, at, i, before, after, start_ms + DAY_MS, out)
    for k in range(count):
        out[k] = ((out[k] >> TIME_SHIFT) + EPOCH_MS - start_ms) // 60_000
    return count


@njit
def resident_followers(table: Table, at: Any, act: Floats, i: int, out: Sums) -> tuple[int, int]:
    """All followers of user i, and those with a cached timeline, by enumeration."""
    total, here = 0, 0
    while True:
        count = followers_into(table, at, i, total, out)
        for k in range(count):
            here += 1 if resident(act, out[k]) else 0
        total += count
        if count < len(out):
            return total, here


@njit
def note_lists(table: Table, at: Any, i: int, reads: int, some: Sums, list_reads: Sums) -> None:
    """A reader's reads, noted at every celebrity he follows."""
    for k in range(celebrities_of_into(table, at, i, some)):
        list_reads[celebrity_index(table, at, some[k])] += reads


@njit
def celebrity_index(table: Table, at: Any, user: int) -> int:
    """A dense number for each celebrity."""
    province, b, z = in_place(table, at, user)
    return (b * at.layers + z) * at.provinces + province


@njit
def pushed_share(table: Table, at: Any, act: Floats, users: Sums, rule: int) -> tuple[int, int]:
    """Of the pushed follows of these users: how many there are, and how many are of somebody with a cached timeline."""
    total, here = 0, 0
    for k in range(len(users)):
        followees = out_degree_of(table, at, users[k])
        pushed = followees - width_of(table, at, users[k], rule, followees)
        total += pushed
        here += pushed if resident(act, users[k]) else 0
    return total, here
