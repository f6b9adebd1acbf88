"""Past tweets of anyone at any time, computed: kernels. A tweet's id gives author and instant; nothing is stored.

An id is a window of time (128 ms; wider above 2^29 users) and a keyed permutation of the author. A user's life is cut into
blocks of 2^k days of *his* time, which runs by his region's daily curve, k chosen so that a block expects three to six
tweets; a block's tweets are a Poisson number of uniform instants of that time. A user tweets at most once a window; a window
belongs to the block that it starts in. The rate of an account never changes, from its creation on.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ...core.ids import EPOCH_MS, TIME_SHIFT
from ..compiled import njit
from .activity import CLOCK_AT, ID_BITS, KEY, Floats, created_ms, tweet_rate
from .chance import mix, poisson, unit
from .clocks import CLOCK_CELLS, DAY_MS, ms_of_share, share_of_ms
from .hashing import Table
from .kernels import in_degree_of, region_of
from .tables import Layout

Ids = npt.NDArray[np.int64]

BLOCK_TWEETS = 6.0  # at most expected in a block
BLOCK_MAX = 64  # a Poisson count of 6 is above it once in 1e40
SHORTEST, LONGEST = -9, 12  # powers of two of days
PAST_STREAM = 0x7EE7
_ODD1, _ODD2, _ODD3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA5A3564E27F88693)
_BACK1, _BACK2, _BACK3 = (np.uint64(pow(int(odd), -1, 1 << 64)) for odd in (_ODD1, _ODD2, _ODD3))
_ONE, _TWO = np.uint64(1), np.uint64(2)


@njit
def code_of(act: Floats, i: int) -> int:
    """The author's part of an id: a keyed permutation of [0, 2^bits)."""
    bits = np.uint64(int(act[ID_BITS]))
    mask, half = (_ONE << bits) - _ONE, (bits + _ONE) // _TWO
    x = (np.uint64(i) * _ODD1 + np.uint64(int(act[KEY]))) & mask
    x ^= x >> half
    x = (x * _ODD2) & mask
    x ^= x >> half
    x = (x * _ODD3) & mask
    return np.int64(x ^ (x >> half))  # type: ignore[return-value]  # compiled code has one integer


@njit
def index_of(act: Floats, code: int) -> int:
    """The inverse of `code_of`; may lie beyond the population."""
    bits = np.uint64(int(act[ID_BITS]))
    mask, half = (_ONE << bits) - _ONE, (bits + _ONE) // _TWO
    x = np.uint64(code)
    x ^= x >> half
    x = (x * _BACK3) & mask
    x ^= x >> half
    x = (x * _BACK2) & mask
    x ^= x >> half
    return np.int64(((x - np.uint64(int(act[KEY]))) * _BACK1) & mask)  # type: ignore[return-value]  # compiled code has one integer


@njit
def author_of(act: Floats, tweet_id: int) -> int:
    """Whose id this would be; may lie beyond the population."""
    return index_of(act, tweet_id & ((1 << int(act[ID_BITS])) - 1))


@njit
def window_bits(act: Floats) -> int:
    """A window is 2^this milliseconds long."""
    return int(act[ID_BITS]) - TIME_SHIFT


@njit
def block_power(rate: float) -> int:
    """Blocks of a user of that rate are 2^this days long."""
    return min(LONGEST, max(SHORTEST, math.floor(math.log2(BLOCK_TWEETS / rate))))


@njit
def clock_base(table: Table, at: Layout, i: int) -> int:
    """Where the clock of the user's region lies in `act`."""
    return CLOCK_AT + region_of(table, at, i) * CLOCK_CELLS


@njit
def ms_at(act: Floats, base: int, days: float) -> int:
    """Milliseconds since the epoch of ids at which a region's time is `days`."""
    day = math.floor(days)
    return int(day) * DAY_MS + ms_of_share(act, base, days - day)


@njit
def block_at(act: Floats, base: int, length: float, ms: int) -> int:
    """The block that an instant lies in."""
    day = ms // DAY_MS
    block = math.floor((day + share_of_ms(act, base, ms - day * DAY_MS)) / length)
    while ms_at(act, base, block * length) > ms:
        block -= 1
    while ms_at(act, base, (block + 1) * length) <= ms:
        block += 1
    return block


@njit
def block_into(act: Floats, i: int, rate: float, base: int, block: int, out: Ids) -> int:
    """The windows of user i's tweets in that block, oldest first, none before his creation; how many."""
    length = 2.0 ** block_power(rate)
    bits = window_bits(act)
    key = mix(mix(int(act[KEY]) ^ PAST_STREAM, i), block)
    count = min(BLOCK_MAX, poisson(rate * length, mix(key, 0)))
    start = ms_at(act, base, block * length)
    first = max(-((-start) >> bits), ((created_ms(act, i) - EPOCH_MS) >> bits) + 1)
    n = 0
    for draw in range(count):
        window = ms_at(act, base, (block + unit(mix(key, draw + 1))) * length) >> bits
        if window < first:
            continue
        place = n
        while place > 0 and out[place - 1] > window:
            place -= 1
        if place > 0 and out[place - 1] == window:
            continue
        for behind in range(n, place, -1):
            out[behind] = out[behind - 1]
        out[place] = window
        n += 1
    return n


@njit
def newest_into(act: Floats, table: Table, at: Layout, i: int, before: int, after: int, now_ms: int, out: Ids) -> int:
    """The newest ids of user i with after < id < before (0: unbounded) and not after now, at most len(out); how many."""
    rate = tweet_rate(act, i, in_degree_of(table, at, i))
    if rate <= 0.0:
        return 0
    base, length, bits = clock_base(table, at, i), 2.0 ** block_power(rate), int(act[ID_BITS])
    until = min(before, (now_ms - EPOCH_MS + 1) << TIME_SHIFT) if before > 0 else (now_ms - EPOCH_MS + 1) << TIME_SHIFT
    if until <= 0:
        return 0
    oldest = max(created_ms(act, i) - EPOCH_MS, after >> TIME_SHIFT)
    code, windows = code_of(act, i), np.empty(BLOCK_MAX, np.int64)
    newest = (until - 1) >> TIME_SHIFT
    if newest < oldest:
        return 0
    last = block_at(act, base, length, (oldest >> (bits - TIME_SHIFT)) << (bits - TIME_SHIFT))
    found = 0
    for block in range(block_at(act, base, length, newest), last - 1, -1):
        for place in range(block_into(act, i, rate, base, block, windows) - 1, -1, -1):
            tweet_id = (windows[place] << bits) | code
            if tweet_id <= after or found == len(out):
                return found
            if tweet_id < until:
                out[found] = tweet_id
                found += 1
    return found


@njit
def newest_of(
    act: Floats, table: Table, at: Layout, authors: Ids, before: int, after: int, limit: int, now_ms: int, out: Ids, counts: Ids
) -> None:
    """`newest_into` for many authors: `limit` places of `out` each, how many are filled in `counts`."""
    for place in range(len(authors)):
        mine = out[place * limit : (place + 1) * limit]
        counts[place] = newest_into(act, table, at, authors[place], before, after, now_ms, mine)


@njit
def stands(act: Floats, table: Table, at: Layout, tweet_id: int, now_ms: int) -> bool:
    """Whether its author tweeted it, by now."""
    i = author_of(act, tweet_id)
    if tweet_id <= 0 or i >= at.users or (tweet_id >> TIME_SHIFT) + EPOCH_MS > now_ms:
        return False
    rate = tweet_rate(act, i, in_degree_of(table, at, i))
    if rate <= 0.0:
        return False
    base, bits = clock_base(table, at, i), int(act[ID_BITS])
    window = tweet_id >> bits
    block = block_at(act, base, 2.0 ** block_power(rate), window << (bits - TIME_SHIFT))
    windows = np.empty(BLOCK_MAX, np.int64)
    count = block_into(act, i, rate, base, block, windows)
    return bool(np.any(windows[:count] == window))


@njit
def tweets_between(act: Floats, table: Table, at: Layout, i: int, start_ms: int, end_ms: int) -> int:
    """How many tweets user i made in [start, end): whole blocks by their number, the first and last one by one.
    Two tweets in one window count twice where blocks are whole: below one in 300 for anybody."""
    rate = tweet_rate(act, i, in_degree_of(table, at, i))
    start = max(start_ms, created_ms(act, i)) - EPOCH_MS
    end = end_ms - EPOCH_MS
    if rate <= 0.0 or end <= start:
        return 0
    base, length, bits = clock_base(table, at, i), 2.0 ** block_power(rate), window_bits(act)
    windows = np.empty(BLOCK_MAX, np.int64)
    first, last = block_at(act, base, length, (start >> bits) << bits), block_at(act, base, length, end)
    key = mix(int(act[KEY]) ^ PAST_STREAM, i)
    total = 0
    for block in range(first, last + 1):
        if first < block < last:
            total += min(BLOCK_MAX, poisson(rate * length, mix(mix(key, block), 0)))
            continue
        code = code_of(act, i)
        for place in range(block_into(act, i, rate, base, block, windows)):
            ms = ((windows[place] << int(act[ID_BITS])) | code) >> TIME_SHIFT
            total += start <= ms < end
    return total


@njit
def tweets_before(act: Floats, table: Table, at: Layout, ids: Ids, end_ms: int, out: Ids) -> None:
    """`tweets_between` the creation of each and `end_ms`."""
    for place in range(len(ids)):
        out[place] = tweets_between(act, table, at, ids[place], EPOCH_MS, end_ms)


@njit
def stand(act: Floats, table: Table, at: Layout, tweet_ids: Ids, now_ms: int, out: npt.NDArray[np.bool_]) -> None:
    """`stands` of each."""
    for place in range(len(tweet_ids)):
        out[place] = stands(act, table, at, tweet_ids[place], now_ms)


@njit
def authors_into(act: Floats, users: int, tweet_ids: Ids, out: Ids) -> None:
    """`author_of` each; -1 beyond the population and for what is no id."""
    for place in range(len(tweet_ids)):
        i = author_of(act, tweet_ids[place])
        out[place] = i if tweet_ids[place] > 0 and i < users else -1
