"""Time-ordered 63-bit tweet ids: 41 bits of milliseconds since `EPOCH_MS`, 10 of node, 12 of sequence.

User ids are not made here: they are dense (1, 2, 3 …) and allocated by the accounts store.
"""

from __future__ import annotations

from .clock import Clock
from .errors import StoreDown

EPOCH_MS = 1_262_304_000_000  # 2010-01-01 UTC: older than any import we know, good until 2079
NODE_BITS, SEQUENCE_BITS = 10, 12
NODES = 1 << NODE_BITS
LEASED_NODES = 960  # processes lease the nodes below; the 64 above date imported tweets, one node a file
SEQUENCES = 1 << SEQUENCE_BITS
TIME_SHIFT = NODE_BITS + SEQUENCE_BITS
MAX_ID = (1 << 63) - 1
CLOCK_BACK_MAX_MS = 1_000  # a step of NTP is waited out by counting on; more than this is a broken clock


def id_at(ms: int, node: int = 0, sequence: int = 0) -> int:
    """Return the id of that millisecond, node in [0, 1024) and sequence in [0, 4096)."""
    if not (EPOCH_MS <= ms < EPOCH_MS + (1 << 41) and 0 <= node < NODES and 0 <= sequence < SEQUENCES):
        msg = f"no id for ms={ms} node={node} sequence={sequence}"
        raise ValueError(msg)
    return (ms - EPOCH_MS) << TIME_SHIFT | node << SEQUENCE_BITS | sequence


def ms_of(tweet_id: int) -> int:
    """Milliseconds since 1970 at which this id was made."""
    return (tweet_id >> TIME_SHIFT) + EPOCH_MS


class TweetIds:
    """Makes strictly rising ids for one node. The caller holds the lease on `node`."""

    def __init__(self, clock: Clock, node: int) -> None:
        self._clock = clock
        self._node = node
        self._ms = 0
        self._sequence = 0

    def next(self) -> int:
        """Return an id newer than the last one.

        When a millisecond is used up, or the clock steps back by at most `CLOCK_BACK_MAX_MS`, ids count on into the
        next millisecond. A larger step back raises `StoreDown`.
        """
        now = self._clock.now_ms()
        if now > self._ms:
            self._ms, self._sequence = now, 0
        elif self._ms - now > CLOCK_BACK_MAX_MS:
            what = f"the clock went back by {self._ms - now} ms"
            raise StoreDown(what, meaning="new tweet ids would sort before old ones", try_="fix the clock, then restart")
        elif self._sequence + 1 < SEQUENCES:
            self._sequence += 1
        else:
            self._ms, self._sequence = self._ms + 1, 0
        return id_at(self._ms, self._node, self._sequence)
