"""In which partition a row of a list lies, and the stamps that order writes.

A list is cut by time, so that no partition grows for ever: an owner's by months; a tweet's by its age, finely on its first day,
when nearly everything happens to it. Both rise with the member, so that a list can be walked bucket by bucket.
"""

from __future__ import annotations

import random

from ...clock import Clock
from ...ids import EPOCH_MS, ms_of

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
QUARTER_MS = DAY_MS // 4
TAG_BITS = 10
_ERA_DAYS = 146_097  # days in 400 years of the Gregorian calendar
_TO_1970 = 719_468  # days from 0000-03-01 to 1970-01-01


def month_at(ms: int) -> int:
    """Months of the calendar (UTC) since the year 0."""
    days = ms // DAY_MS + _TO_1970
    era, day = divmod(days, _ERA_DAYS)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    return (era * 400 + year) * 12 + (5 * day_of_year + 2) // 153 + 2


def month_of(tweet_id: int) -> int:
    """The month in which a tweet was made."""
    return month_at(ms_of(tweet_id))


def age_bucket(tweet_id: int, at_ms: int) -> int:
    """What happens to a tweet: four buckets on its first day, one a week in its first month, then one a month."""
    age = max(0, at_ms - ms_of(tweet_id))
    if age < DAY_MS:
        return age // QUARTER_MS
    if age < MONTH_MS:
        return 4 + age // (7 * DAY_MS)
    return 8 + age // MONTH_MS


class Stamps:
    """Microseconds since 1970 that rise from call to call: they order this process's writes, also while its clock stands."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._tag = random.getrandbits(TAG_BITS)

    def next(self, above: int = 0) -> int:
        """A stamp above all before and above `above`, which another process may have set by a faster clock."""
        self._last = max(self._last + 1, above + 1, self._clock.now_ms() * 1_000)
        return self._last

    def sequence(self, stamp_us: int) -> int:
        """Its place in a list of likes: the stamp, then ten bits that keep processes apart."""
        return (stamp_us - EPOCH_MS * 1_000) << TAG_BITS | self._tag


def ms_of_sequence(sequence: int) -> int:
    """When the like of this place was made."""
    return (sequence >> TAG_BITS) // 1_000 + EPOCH_MS
