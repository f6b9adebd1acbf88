"""What a computed tweet is: its kind, and for replies, retweets and quotes the real, earlier tweet it points at. Kernels.

A tweet asks some of its author's followees, drawn by its id, for the newest earlier tweet that fits. Where none has one it is
an original after all. Nothing recurses to find a parent: what fits is told by ids alone. A reply has a level and answers only
tweets of lower levels, so a chain has at most `LEVELS` steps. Nobody retweets a tweet twice: a retweet leaves a followee alone
whom one of the author's retweets since that tweet might have asked.
"""

from __future__ import annotations

import numpy as np

from ..compiled import njit
from .activity import ASKED, ID_BITS, KEY, MENTIONS, QUOTES, REPLIES, RETWEETS, Floats, tweet_rate, tweets_ever
from .chance import below, mix, unit
from .hashing import Table
from .kernels import followee_at, in_degree_of, out_degree_of
from .past import BLOCK_MAX, Ids, author_of, block_at, block_into, block_power, clock_base, code_of, window_bits
from .tables import Layout

ORIGINAL, REPLY, RETWEET, QUOTE = 0, 1, 2, 3
BLOCKS_BACK = 3  # how far back each looks: some ten tweets
OWN_MAX = 48  # own tweets since the original that a retweet looks through
LEVELS = 7
KIND_STREAM, ASK_STREAM, LEVEL_STREAM, MENTION_STREAM = 0x51D, 0xA5C, 0x1E7, 0x3E7
AUTHOR, KIND, PARENT, PARENT_AUTHOR, ROOT, MENTIONED = range(6)  # columns of `describe`
COLUMNS = 6


@njit
def nominal_kind(act: Floats, tweet_id: int) -> int:
    """The kind that a tweet would like to be: final unless no parent is found."""
    u = unit(mix(int(act[KEY]) ^ KIND_STREAM, tweet_id))
    if u < act[RETWEETS]:
        return RETWEET
    if u < act[RETWEETS] + act[REPLIES]:
        return REPLY
    return QUOTE if u < act[RETWEETS] + act[REPLIES] + act[QUOTES] else ORIGINAL


@njit
def level_of(act: Floats, tweet_id: int) -> int:
    """0 for what is no reply; else 1 to `LEVELS`, each half as frequent as the one before."""
    if nominal_kind(act, tweet_id) != REPLY:
        return 0
    bits = mix(int(act[KEY]) ^ LEVEL_STREAM, tweet_id)
    level = 1
    while level < LEVELS and (np.uint64(bits) >> np.uint64(level)) & np.uint64(1):
        level += 1
    return level


@njit
def asking_key(act: Floats, tweet_id: int) -> int:
    """What decides whom a tweet asks."""
    return mix(int(act[KEY]) ^ ASK_STREAM, tweet_id)


@njit
def asked_slot(key: int, turn: int, followees: int) -> int:
    """Which of the author's followees a tweet asks at its turn."""
    return below(mix(key, turn), followees)


@njit
def parent_of(act: Floats, table: Table, at: Layout, i: int, tweet_id: int, followees: int, windows: Ids, mine: Ids) -> int:
    """The tweet that this tweet of user i points at, 0 for none. `windows` and `mine` are room for blocks."""
    kind = nominal_kind(act, tweet_id)
    if kind == ORIGINAL or followees == 0:
        return 0
    level = level_of(act, tweet_id) if kind == REPLY else LEVELS + 1
    key = asking_key(act, tweet_id)
    for turn in range(int(act[ASKED])):
        slot = asked_slot(key, turn, followees)
        followee = followee_at(table, at, i, slot)
        if followee < 0 or not tweets_ever(act, followee):
            continue
        found = fitting(act, table, at, followee, tweet_id, level, windows)
        if found and (kind != RETWEET or not asked_since(act, table, at, i, slot, followees, found, tweet_id, mine)):
            return found
    return 0


@njit
def fitting(act: Floats, table: Table, at: Layout, author: int, tweet_id: int, level: int, windows: Ids) -> int:
    """The newest tweet of `author` before that one that is no retweet and of a lower level; 0 for none within reach."""
    rate = tweet_rate(act, author, in_degree_of(table, at, author))
    base, length, bits = clock_base(table, at, author), 2.0 ** block_power(rate), int(act[ID_BITS])
    code, latest = code_of(act, author), tweet_id >> bits
    newest = block_at(act, base, length, latest << window_bits(act))
    for block in range(newest, newest - BLOCKS_BACK, -1):
        if block < 0:
            return 0
        for place in range(block_into(act, author, rate, base, block, windows) - 1, -1, -1):
            candidate = (windows[place] << bits) | code
            if windows[place] < latest and nominal_kind(act, candidate) != RETWEET and level_of(act, candidate) < level:
                return int(candidate)
    return 0


@njit
def asked_since(
    act: Floats, table: Table, at: Layout, i: int, slot: int, followees: int, original: int, tweet_id: int, mine: Ids
) -> bool:
    """Whether one of user i's own retweets between the original and this one may have asked the same followee."""
    rate = tweet_rate(act, i, in_degree_of(table, at, i))
    base, length, bits = clock_base(table, at, i), 2.0 ** block_power(rate), int(act[ID_BITS])
    code, start, end = code_of(act, i), original >> bits, tweet_id >> bits
    seen = 0
    oldest = block_at(act, base, length, start << window_bits(act))
    for block in range(block_at(act, base, length, end << window_bits(act)), oldest - 1, -1):
        for place in range(block_into(act, i, rate, base, block, mine)):
            if not start < mine[place] < end:
                continue
            seen += 1
            if seen > OWN_MAX:
                return True
            own = (mine[place] << bits) | code
            if nominal_kind(act, own) != RETWEET:
                continue
            key = asking_key(act, own)
            for turn in range(int(act[ASKED])):
                if asked_slot(key, turn, followees) == slot:
                    return True
    return False


@njit
def retweeted_into(act: Floats, table: Table, at: Layout, tweet_ids: Ids, out: Ids) -> None:
    """For each computed tweet the tweet it retweets, 0 for none: the second column of entries."""
    windows, mine = np.empty(BLOCK_MAX, np.int64), np.empty(BLOCK_MAX, np.int64)
    for place in range(len(tweet_ids)):
        tweet_id = tweet_ids[place]
        out[place] = 0
        if nominal_kind(act, tweet_id) == RETWEET:
            i = author_of(act, tweet_id)
            out[place] = parent_of(act, table, at, i, tweet_id, out_degree_of(table, at, i), windows, mine)


@njit
def describe(act: Floats, table: Table, at: Layout, tweet_ids: Ids, out: Ids) -> None:
    """Author, kind, parent, the parent's author and the first tweet of the conversation, for ids that stand."""
    windows, mine = np.empty(BLOCK_MAX, np.int64), np.empty(BLOCK_MAX, np.int64)
    for place in range(len(tweet_ids)):
        tweet_id = tweet_ids[place]
        i = author_of(act, tweet_id)
        parent = parent_of(act, table, at, i, tweet_id, out_degree_of(table, at, i), windows, mine)
        kind = nominal_kind(act, tweet_id) if parent else ORIGINAL
        root, above = tweet_id, parent if kind == REPLY else 0
        while above:
            root, above = above, 0
            if nominal_kind(act, root) == REPLY:
                who = author_of(act, root)
                above = parent_of(act, table, at, who, root, out_degree_of(table, at, who), windows, mine)
        out[place, AUTHOR], out[place, KIND], out[place, PARENT], out[place, ROOT] = i, kind, parent, root
        out[place, PARENT_AUTHOR] = author_of(act, parent) if parent else -1
        out[place, MENTIONED] = mentioned(act, table, at, i, tweet_id, kind)


@njit
def mentioned(act: Floats, table: Table, at: Layout, i: int, tweet_id: int, kind: int) -> int:
    """A followee whom an original or quote names; -1 for none."""
    followees = out_degree_of(table, at, i)
    key = mix(int(act[KEY]) ^ MENTION_STREAM, tweet_id)
    if kind in (REPLY, RETWEET) or followees == 0 or unit(key) >= act[MENTIONS]:
        return -1
    return followee_at(table, at, i, below(mix(key, 1), followees))
